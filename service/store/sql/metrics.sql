-- What the metrics page says. Read only, and bounded: counts over indexes, over tables of one row per station or boot, over a window.

-- name: stations_heard$
SELECT count(*)::bigint FROM station s JOIN station_live l USING (station_id)
WHERE s.lifecycle = 'in_service' AND l.heard_at >= :since;

-- name: slots_by_status
SELECT status, count(*)::bigint AS count FROM slot GROUP BY status ORDER BY status;

-- name: packs_by_place
SELECT place, condition, count(*)::bigint AS count FROM pack GROUP BY place, condition ORDER BY place, condition;

-- name: charging
-- The newest reading of every occupied slot of a connected station.
SELECT coalesce(r.charging_state, 'unknown') AS state, count(*)::bigint AS packs,
       coalesce(sum(r.power_dc_w), 0)::double precision AS power_dc_w
FROM slot_reading r JOIN station_live l USING (station_id)
WHERE l.connected AND r.serial_number IS NOT NULL AND r.reading_at >= :since
GROUP BY 1 ORDER BY 1;

-- name: queues^
SELECT (SELECT count(*) FROM station_boot WHERE gap_since IS NOT NULL)::bigint AS gaps_open,
       (SELECT count(*) FROM dead_letter)::bigint AS dead_letters,
       (SELECT count(*) FROM command WHERE status IN ('queued', 'sent'))::bigint AS commands_open,
       (SELECT count(*) FROM reservation WHERE status IN ('pending', 'reserved'))::bigint AS reservations_live;

-- name: open_debts
SELECT owed_by, count(*)::bigint AS count FROM debt WHERE closed_at IS NULL GROUP BY owed_by ORDER BY owed_by;

-- name: open_anomalies
SELECT kind, count(*)::bigint AS count FROM anomaly WHERE closed_at IS NULL GROUP BY kind ORDER BY kind;

-- name: newest_plan^
-- With the values of the step that contains :now, NULL when its horizon is over.
SELECT made_at, engine, price_source, supply_source, gap, solve_s, truncated, shortfall_wh,
       fleet_ac_w[step] AS fleet_ac_w, renewable_w[step] AS renewable_w
FROM plan, LATERAL (SELECT 1 + floor(extract(epoch FROM :now::timestamptz - start_at) / step_s)::integer AS step) AS present
WHERE made_at <= :now
ORDER BY made_at DESC, plan_id DESC
LIMIT 1;

-- name: role_silences
-- Wall seconds since the connections of each role last did anything. Both instants are the database's own: the second one is when it
-- was asked this.
SELECT substr(r.application_name, 8) AS role, extract(epoch FROM here.query_start - max(r.state_change))::double precision AS silence_s
FROM pg_stat_activity here, pg_stat_activity r
WHERE here.pid = pg_backend_pid() AND r.datname = here.datname AND r.application_name LIKE 'denchi %'
GROUP BY 1, here.query_start ORDER BY 1;

-- name: role_silence_here$
-- The same for one role, only of connections from the address that asks: of this container.
SELECT extract(epoch FROM here.query_start - max(r.state_change))::double precision
FROM pg_stat_activity here, pg_stat_activity r
WHERE here.pid = pg_backend_pid() AND r.datname = here.datname AND r.application_name = 'denchi ' || :role::text
  AND r.client_addr IS NOT DISTINCT FROM here.client_addr
GROUP BY here.query_start;
