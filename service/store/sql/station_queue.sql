-- The queue of station events: one worker holds a station at a time, in the order of the key.

-- name: take_stations
-- Oldest first; stations another worker holds are left to it.
SELECT s.station_id FROM station s
JOIN (SELECT station_id, min(received_at) AS since FROM station_event WHERE handled_at IS NULL GROUP BY station_id) o
    USING (station_id)
ORDER BY o.since LIMIT :most FOR NO KEY UPDATE OF s SKIP LOCKED;

-- name: open_events
SELECT e.station_id, e.epoch, e.boot, e.seq, e.ts, e.received_at, e.kind, e.body, e.attempts
FROM unnest(:station_ids::text[]) AS s (station_id)
CROSS JOIN LATERAL (SELECT * FROM station_event e WHERE e.station_id = s.station_id AND e.handled_at IS NULL
                    ORDER BY e.epoch, e.boot, e.seq LIMIT :most) e
ORDER BY e.station_id, e.epoch, e.boot, e.seq;

-- name: mark_handled*!
UPDATE station_event SET handled_at = :now
WHERE station_id = :station_id AND epoch = :epoch AND boot = :boot AND seq = :seq;

-- name: count_failure$
UPDATE station_event SET attempts = attempts + 1, failure = :failure,
    handled_at = CASE WHEN attempts + 1 >= :most THEN :now::timestamptz END
WHERE station_id = :station_id AND epoch = :epoch AND boot = :boot AND seq = :seq
RETURNING handled_at IS NOT NULL;

-- name: signal_answers
SELECT pg_notify('command_answered', '');
