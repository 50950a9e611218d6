-- Series of the outside world. A value is never changed: a newer one has a later known_at.

-- name: add_signal_where_missing^
-- One batch; a step that already has a value of this source is left as it is. Returns how many were new.
WITH added AS (
    INSERT INTO signal (series, area, start_at, period_s, value, known_at, source)
    SELECT n.series, :area, n.start_at, n.period_s, n.value, n.known_at, :source
    FROM unnest(:series::text[], :start_at::timestamptz[], :period_s::integer[], :value::double precision[], :known_at::timestamptz[])
         AS n (series, start_at, period_s, value, known_at)
    WHERE NOT EXISTS (
        SELECT FROM signal s
        WHERE s.series = n.series AND s.area = :area AND s.start_at = n.start_at AND s.source = :source)
    ON CONFLICT DO NOTHING
    RETURNING 1
)
SELECT count(*)::integer AS added FROM added;

-- name: known_signals
SELECT DISTINCT ON (series, start_at) series, area, start_at, period_s, value, known_at, source
FROM signal
WHERE area = :area AND start_at >= :first_at AND start_at < :end_at AND known_at <= :now
ORDER BY series, start_at, known_at DESC;
