-- Series of the outside world. A value is never changed: a newer one has a later known_at.

-- name: add_signals^
-- Everything in the temporary table signal_new; what is there already stays as it is. `different`: same interval, source and
-- known_at, another value.
WITH added AS (
    INSERT INTO signal (series, place_kind, place, start_at, period_s, value, known_at, source)
    SELECT series, place_kind, place, start_at, period_s, value, known_at, source FROM signal_new
    ON CONFLICT DO NOTHING
    RETURNING 1
)
SELECT (SELECT count(*) FROM added)::integer AS added,
       count(s.value)::integer AS known,
       count(*) FILTER (WHERE s.value <> n.value)::integer AS different
FROM signal_new n
LEFT JOIN signal s USING (series, place_kind, place, start_at, period_s, known_at, source);

-- name: add_signals_where_missing^
-- The same for made-up values, which are only stand-ins: an interval that has a value of their source is left alone whenever that
-- became known, and so is one that lies in the interval of anybody else's value.
WITH added AS (
    INSERT INTO signal (series, place_kind, place, start_at, period_s, value, known_at, source)
    SELECT n.series, n.place_kind, n.place, n.start_at, n.period_s, n.value, n.known_at, n.source
    FROM signal_new n
    WHERE NOT EXISTS (
        SELECT FROM signal s
        WHERE s.series = n.series AND s.place_kind = n.place_kind AND s.place = n.place
          AND s.start_at > n.start_at - interval '1 day' AND s.start_at <= n.start_at
          AND CASE WHEN s.source = n.source THEN s.start_at = n.start_at AND s.period_s = n.period_s
                   ELSE s.start_at + s.period_s * interval '1 second' > n.start_at END)
    ON CONFLICT DO NOTHING
    RETURNING 1
)
SELECT count(*)::integer AS added FROM added;

-- name: known_signals
-- Of an area and of every station: the newest value of each interval that was known at :now, made-up ones only where nothing else is.
SELECT DISTINCT ON (series, place_kind, place, start_at, period_s)
       series, place_kind, place, start_at, period_s, value, known_at, source
FROM signal
WHERE series = ANY(:series::text[])
  AND (place_kind = 'station' OR place = :area)
  AND start_at >= :first_at AND start_at < :end_at AND known_at <= :now
ORDER BY series, place_kind, place, start_at, period_s, (source = 'synthetic'), known_at DESC, source;

-- name: series_of_area
-- The same for drawing: one area, chosen series.
SELECT DISTINCT ON (series, start_at, period_s)
       series, place_kind, place, start_at, period_s, value, known_at, source
FROM signal
WHERE series = ANY(:series::text[]) AND place_kind = 'area' AND place = :area
  AND start_at >= :first_at AND start_at < :end_at AND known_at <= :now
ORDER BY series, start_at, period_s, (source = 'synthetic'), known_at DESC, source;

-- name: signal_coverage
-- What is there: one row per series, place, period and source.
SELECT series, place_kind, place, period_s, source, min(start_at) AS first_at,
       max(start_at) + max(period_s) * interval '1 second' AS end_at,
       count(DISTINCT start_at)::integer AS intervals, max(known_at) AS last_known_at
FROM signal
GROUP BY series, place_kind, place, period_s, source
ORDER BY place_kind, place, series, period_s, source;
