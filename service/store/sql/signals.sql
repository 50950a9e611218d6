-- Series of the outside world. A value is never changed: a newer one has a later known_at.

-- name: add_signals!
-- Everything in the temporary table signal_new; what is there already stays as it is.
INSERT INTO signal (series, place_kind, place, start_at, period_s, value, known_at, source)
SELECT series, place_kind, place, start_at, period_s, value, known_at, source FROM signal_new
ON CONFLICT DO NOTHING;

-- name: compare_signals^
-- After they were added, what was offered against what stands. `differing`: same interval, source and known_at, another value.
SELECT count(*) FILTER (WHERE s.value <> n.value)::integer AS differing,
       (array_agg(n.start_at ORDER BY n.start_at, n.series) FILTER (WHERE s.value <> n.value))[1 : 100] AS differing_at
FROM signal_new n
JOIN signal s USING (series, place_kind, place, start_at, period_s, known_at, source);

-- name: add_signals_where_missing!
-- The same for made-up values, which are only stand-ins: an interval that has a value of their source is left alone whenever that
-- became known, and so is one that lies in the interval of anybody else's value. A subquery with LIMIT walks the index for each of
-- them; as NOT EXISTS it becomes a join with years of values.
INSERT INTO signal (series, place_kind, place, start_at, period_s, value, known_at, source)
SELECT n.series, n.place_kind, n.place, n.start_at, n.period_s, n.value, n.known_at, n.source
FROM signal_new n
WHERE (
    SELECT true FROM signal s
    WHERE s.series = n.series AND s.place_kind = n.place_kind AND s.place = n.place
      AND s.start_at > n.start_at - interval '1 day' AND s.start_at <= n.start_at
      AND CASE WHEN s.source = n.source THEN s.start_at = n.start_at AND s.period_s = n.period_s
               ELSE s.start_at + s.period_s * interval '1 second' > n.start_at END
    LIMIT 1) IS NULL
ON CONFLICT DO NOTHING;

-- name: known_signals
-- Of an area and of every station: the newest value of each interval that was known at :now, made-up ones only where nothing else is.
-- Of :limits the newest of every source: the reader takes the lowest. Two branches, each with the key's columns from the left: one with
-- OR would walk through all areas.
SELECT DISTINCT ON (series, place_kind, place, start_at, period_s, CASE WHEN series = ANY(:limits::text[]) THEN source END)
       series, place_kind, place, start_at, period_s, value, known_at, source
FROM (
    SELECT * FROM signal
    WHERE series = ANY(:series::text[]) AND place_kind = 'area' AND place = :area
      AND start_at >= :first_at AND start_at < :end_at AND known_at <= :now
    UNION ALL
    SELECT * FROM signal
    WHERE series = ANY(:series::text[]) AND place_kind = 'station'
      AND start_at >= :first_at AND start_at < :end_at AND known_at <= :now
) AS told
ORDER BY series, place_kind, place, start_at, period_s, CASE WHEN series = ANY(:limits::text[]) THEN source END,
         (source = 'synthetic'), known_at DESC, source;

-- name: series_of_place
-- For drawing and for reading: one place, chosen series; of each interval the newest value.
SELECT DISTINCT ON (series, start_at, period_s)
       series, place_kind, place, start_at, period_s, value, known_at, source
FROM signal
WHERE series = ANY(:series::text[]) AND place_kind = :place_kind AND place = :place
  AND start_at >= :first_at AND start_at < :end_at AND known_at <= :now
ORDER BY series, start_at, period_s, (source = 'synthetic'), known_at DESC, source
LIMIT :row_limit;

-- name: signal_coverage
-- What is there: one row per series, place, period and source. An interval counts once, however often it was corrected.
SELECT series, place_kind, place, period_s, source, min(start_at) AS first_at,
       max(start_at) + period_s * interval '1 second' AS end_at,
       count(*)::integer AS intervals, max(last_known_at) AS last_known_at
FROM (
    SELECT series, place_kind, place, period_s, source, start_at, max(known_at) AS last_known_at
    FROM signal
    GROUP BY series, place_kind, place, period_s, source, start_at
) AS interval_of
GROUP BY series, place_kind, place, period_s, source
ORDER BY place_kind, place, series, period_s, source;
