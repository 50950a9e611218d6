-- What the operators' console reads. Reads only; every instant is a parameter on fleet time.

-- name: stations
SELECT s.station_id, s.name, s.lifecycle, s.first_birth_at, s.charger_efficiency, s.max_import_ac_w,
       coalesce(l.connected, false) AS connected, l.connection_at, l.heard_at,
       coalesce(w.live_swaps, 0)::int AS live_swaps, s.latitude, s.longitude
FROM station s
LEFT JOIN station_live l USING (station_id)
LEFT JOIN (
    SELECT station_id, count(*) AS live_swaps FROM swap
    WHERE status IN ('requested', 'authorised', 'half_in', 'half_out', 'unresolved')
    GROUP BY station_id
) w USING (station_id)
WHERE s.lifecycle <> 'decommissioned'
ORDER BY s.name, s.station_id;

-- name: slots
-- One row per slot: what the registry says is in it, and the newest reading from it. Columns: those of SlotRow, in its order.
SELECT sl.station_id, sl.slot_no, sl.status, sl.quarantined,
       p.serial_number, p.condition, p.pack_model_id,
       m.nominal_wh, m.nominal_v, m.max_charge_w, m.hand_out_soc, m.target_soc, m.max_hand_out_degc, m.max_cell_spread_mv,
       coalesce(h.swap_id, h.reservation_id) AS pack_held_by,
       coalesce(sh.swap_id, sh.reservation_id) AS slot_held_by,
       r.serial_number AS reported_serial, r.soc, r.soh, r.charging_state, r.power_dc_w, r.temp_max_degc,
       r.cell_spread_mv, r.fault_count, r.reading_at
FROM slot sl
LEFT JOIN pack p ON p.place = 'slot' AND p.station_id = sl.station_id AND p.slot_no = sl.slot_no
LEFT JOIN pack_model m USING (pack_model_id)
LEFT JOIN pack_hold h ON h.serial_number = p.serial_number AND h.released_at IS NULL
LEFT JOIN slot_hold sh ON sh.station_id = sl.station_id AND sh.slot_no = sl.slot_no AND sh.released_at IS NULL
LEFT JOIN slot_reading r ON r.station_id = sl.station_id AND r.slot_no = sl.slot_no
ORDER BY sl.station_id, sl.slot_no;

-- name: newest_plan^
SELECT plan_id, made_at, start_at, step_s, engine, coupled_by, gap, shortfall_wh, truncated, solve_s, price_source,
       supply_source, fleet_ac_w, price_jpy_per_kwh, renewable_w
FROM plan
WHERE made_at <= :now
ORDER BY made_at DESC, plan_id DESC
LIMIT 1;

-- name: swaps_by_status
SELECT status, count(*)::int AS swaps FROM swap
WHERE created_at >= :since
GROUP BY status;

-- name: open_anomalies
SELECT kind, count(*)::int AS anomalies FROM anomaly
WHERE closed_at IS NULL
GROUP BY kind
ORDER BY anomalies DESC, kind;

-- name: open_debts
SELECT owed_by, count(*)::int AS debts, count(*) FILTER (WHERE due_at < :now)::int AS overdue FROM debt
WHERE closed_at IS NULL
GROUP BY owed_by
ORDER BY owed_by;

-- name: measured_power
-- Mean power between two neighbouring registers of each site meter, summed over the fleet in five-minute bins named by their
-- end. Registers more than 15 minutes apart say nothing about a five-minute mean and are left out.
WITH register AS (
    SELECT station_id, ts, import_wh,
           lag(ts) OVER meter AS ts_before, lag(import_wh) OVER meter AS import_wh_before
    FROM meter_register
    WHERE point = 'site' AND ts >= :since AND ts <= :until
    WINDOW meter AS (PARTITION BY station_id, meter_id ORDER BY epoch, boot, seq)
), mean AS (
    SELECT station_id, date_bin('5 minutes', ts + interval '150 seconds', timestamptz '2000-01-01 00:00+00') AS end_at,
           3600.0 * (import_wh - import_wh_before) / extract(epoch FROM ts - ts_before) AS power_ac_w
    FROM register
    WHERE ts > ts_before AND ts - ts_before <= interval '15 minutes' AND import_wh >= import_wh_before
)
SELECT end_at, sum(power_ac_w)::double precision AS power_ac_w, count(DISTINCT station_id)::int AS stations
FROM mean
GROUP BY end_at
ORDER BY end_at;

-- name: newest_swaps
SELECT swap_id, station_id, status, status_reason, pack_count, packs_in, packs_out, created_at, ended_at FROM swap
ORDER BY created_at DESC, swap_id DESC
LIMIT 20;

-- name: troubled_swaps
-- What a person must look at, the oldest first: not known, one half, and what ended against the rules since :since.
(SELECT swap_id, station_id, status, status_reason, pack_count, packs_in, packs_out, created_at, ended_at FROM swap
 WHERE status IN ('unresolved', 'orphan_in', 'orphan_out')
 ORDER BY created_at LIMIT 100)
UNION ALL
(SELECT swap_id, station_id, status, status_reason, pack_count, packs_in, packs_out, created_at, ended_at FROM swap
 WHERE created_at >= :since AND status = 'exception'
 ORDER BY created_at LIMIT 100);

-- name: overdue_debts
SELECT d.debt_id, w.station_id, d.owed_by, d.rider_id, d.serial_number, d.due_at
FROM debt d JOIN swap w USING (swap_id)
WHERE d.closed_at IS NULL AND d.due_at < :now
ORDER BY d.due_at
LIMIT 100;

-- name: newest_anomalies
SELECT anomaly_id, station_id, kind, serial_number, swap_id, detail::text AS detail, seen_at, closed_at FROM anomaly
WHERE closed_at IS NULL
ORDER BY seen_at DESC, anomaly_id DESC
LIMIT 200;

-- name: refusals
-- Among the newest dead letters, those since :since, by reason.
SELECT reason, count(*)::int AS messages, (array_agg(topic ORDER BY dead_letter_id DESC))[1] AS topic, max(received_at) AS last_at
FROM (SELECT dead_letter_id, reason, topic, received_at FROM dead_letter ORDER BY dead_letter_id DESC LIMIT 1000) newest
WHERE received_at >= :since
GROUP BY reason
ORDER BY reason;

-- name: plan_shortfalls
SELECT station_id, shortfall_wh FROM plan_station
WHERE plan_id = :plan_id AND shortfall_wh >= :least_wh
ORDER BY shortfall_wh DESC, station_id
LIMIT 200;

-- name: station_swaps
SELECT w.swap_id, w.station_id, w.status, w.status_reason, w.pack_count, w.packs_in, w.packs_out, w.created_at, w.ended_at
FROM unnest(:station_ids::text[]) AS wanted (station_id)
CROSS JOIN LATERAL (
    SELECT * FROM swap WHERE swap.station_id = wanted.station_id ORDER BY created_at DESC, swap_id DESC LIMIT 8
) w
ORDER BY w.created_at DESC, w.swap_id DESC;

-- name: station_anomalies
SELECT anomaly_id, station_id, kind, serial_number, swap_id, detail::text AS detail, seen_at, closed_at
FROM (
    SELECT a.*, row_number() OVER (PARTITION BY station_id ORDER BY closed_at IS NULL DESC, seen_at DESC, anomaly_id DESC) AS place
    FROM anomaly a
    WHERE station_id = ANY(:station_ids::text[])
) newest
WHERE place <= 8
ORDER BY closed_at IS NULL DESC, seen_at DESC, anomaly_id DESC;

-- name: station_plans
SELECT station_id, reason, shortfall_wh, energy_ac_wh FROM plan_station
WHERE plan_id = :plan_id AND station_id = ANY(:station_ids::text[]);
