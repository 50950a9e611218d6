-- name: make_day$
SELECT make_telemetry_day(:day);

-- name: drop_days$
SELECT drop_telemetry_days(:first_kept);

-- name: forget_undated$
WITH gone AS (DELETE FROM telemetry_undated WHERE received_at < :before RETURNING 1) SELECT count(*) FROM gone;

-- name: bound_dead_letters$
WITH gone AS (
    DELETE FROM dead_letter
    WHERE dead_letter_id <= (SELECT dead_letter_id FROM dead_letter ORDER BY dead_letter_id DESC OFFSET :newest_kept LIMIT 1)
    RETURNING 1
)
SELECT count(*) FROM gone;

-- name: forget_plans$
WITH gone AS (DELETE FROM plan WHERE made_at < :before RETURNING 1) SELECT count(*) FROM gone;

-- name: forget_events$
WITH gone AS (DELETE FROM station_event WHERE received_at < :before AND handled_at IS NOT NULL RETURNING 1)
SELECT count(*) FROM gone;

-- name: forget_commands$
-- The commands of swaps stay: they are evidence.
WITH gone AS (
    DELETE FROM command
    WHERE swap_id IS NULL AND issued_at < :before AND status IN ('acknowledged', 'expired', 'withdrawn')
    RETURNING 1
)
SELECT count(*) FROM gone;
