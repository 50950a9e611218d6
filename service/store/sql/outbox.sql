-- name: enqueue!
-- A command id that is there already stays as it is: queueing twice is queueing once.
INSERT INTO command (command_id, station_id, name, body, issued_at, valid_until, swap_id)
SELECT command_id, station_id, name, body::jsonb, issued_at, valid_until, swap_id
FROM unnest(:command_ids::text[], :station_ids::text[], :names::text[], :bodies::text[], :issued_ats::timestamptz[],
            :valid_untils::timestamptz[], :swap_ids::text[])
     AS c (command_id, station_id, name, body, issued_at, valid_until, swap_id)
ON CONFLICT (command_id) DO NOTHING;

-- name: supersede_schedules!
UPDATE command SET status = 'withdrawn'
FROM unnest(:station_ids::text[], :newest_ids::text[]) AS newest (station_id, command_id)
WHERE command.station_id = newest.station_id AND command.command_id <> newest.command_id
  AND command.name = 'set_schedule' AND command.status = 'queued';

-- name: notify_queued!
NOTIFY command_queued;

-- name: withdraw$
UPDATE command SET status = CASE WHEN valid_until > :now THEN 'withdrawn' ELSE 'expired' END
WHERE command_id = :command_id AND status = 'queued' AND sends = 0
RETURNING command_id;

-- name: record_answer^
-- The row is locked first, so that of two equal answers at once exactly one is news.
WITH held AS (
    SELECT command_id, swap_id, name,
           answer IS NULL OR (answer = 'accepted' AND :answer::text IN ('completed', 'failed', 'rejected')) AS first
    FROM command
    WHERE command_id = :command_id AND (:station_id::text IS NULL OR station_id = :station_id)
    FOR UPDATE
), changed AS (
    UPDATE command
    SET status = 'acknowledged', answer = :answer, reason_code = :reason_code, acked_at = coalesce(acked_at, :at::timestamptz)
    FROM held
    WHERE command.command_id = held.command_id AND held.first
)
SELECT swap_id, name, first FROM held;

-- name: expire$
WITH gone AS (
    UPDATE command SET status = 'expired'
    WHERE status IN ('queued', 'sent') AND valid_until <= :now
    RETURNING 1
)
SELECT count(*) FROM gone;

-- name: take_queued
SELECT command_id, station_id, body, issued_at, valid_until, swap_id
FROM command
WHERE status = 'queued' AND valid_until > :now AND (name = ANY (:motions::text[])) = :motion
ORDER BY issued_at, command_id
LIMIT :limit
FOR UPDATE SKIP LOCKED;

-- name: take_unheard
SELECT command.command_id, command.station_id, command.body, command.issued_at, command.valid_until, command.swap_id
FROM command
JOIN station_live USING (station_id)
WHERE command.status = 'sent' AND command.valid_until > :now AND NOT command.name = ANY (:motions::text[])
  AND command.sent_at < station_live.birth_at
ORDER BY command.issued_at, command.command_id
LIMIT :limit
FOR UPDATE OF command SKIP LOCKED;

-- name: mark_sent!
UPDATE command SET status = 'sent', sent_at = :at, sends = sends + 1
WHERE command_id = ANY (:command_ids::text[]) AND status IN ('queued', 'sent');
