-- Pages and single things as the API shows them. Reads only; the newest first unless a page has a natural order.

-- name: stations
-- Distances along a great circle on a sphere of 6371 km; without a position the page is in the order of the ids.
SELECT * FROM (
    SELECT s.station_id, s.name, s.latitude, s.longitude, s.lifecycle, s.swap_order, s.first_birth_at,
           coalesce(l.connected, false) AS connected, l.heard_at,
           CASE WHEN :latitude::double precision IS NULL THEN 0 ELSE 2 * 6371000 * asin(least(1, sqrt(
               sin(radians(s.latitude - :latitude) / 2) ^ 2
               + cos(radians(s.latitude)) * cos(radians(:latitude)) * sin(radians(s.longitude - :longitude::double precision) / 2) ^ 2)))
           END AS distance_m
    FROM station s
    LEFT JOIN station_live l USING (station_id)
    WHERE (:station_id::text IS NULL OR s.station_id = :station_id)
      AND (:all_lifecycles::boolean OR s.lifecycle NOT IN ('planned', 'decommissioned'))
) near
WHERE (:radius_m::double precision IS NULL OR distance_m <= :radius_m)
  AND (:after_m::double precision IS NULL OR (distance_m, station_id) > (:after_m, :after_id::text))
ORDER BY distance_m, station_id
LIMIT :row_limit;

-- name: slots
-- One row per slot: what the registry says is in it, and the newest reading of that pack there.
SELECT sl.station_id, sl.slot_no, sl.status, sl.quarantined, sl.accepts, sl.max_charge_dc_w,
       p.serial_number, p.condition, p.pack_model_id,
       m.nominal_wh, m.nominal_v, m.max_charge_w, m.hand_out_soc, m.target_soc, m.max_hand_out_degc, m.max_cell_spread_mv,
       coalesce(h.swap_id, h.reservation_id) AS pack_held_by,
       coalesce(sh.swap_id, sh.reservation_id) AS slot_held_by,
       r.soc, r.soh, r.charging_state, r.power_dc_w, r.temp_max_degc, r.cell_spread_mv, r.fault_count, r.reading_at
FROM slot sl
LEFT JOIN pack p ON p.place = 'slot' AND p.station_id = sl.station_id AND p.slot_no = sl.slot_no
LEFT JOIN pack_model m USING (pack_model_id)
LEFT JOIN pack_hold h ON h.serial_number = p.serial_number AND h.released_at IS NULL
LEFT JOIN slot_hold sh ON sh.station_id = sl.station_id AND sh.slot_no = sl.slot_no AND sh.released_at IS NULL
LEFT JOIN slot_reading r ON r.station_id = ANY(:station_ids::text[]) AND r.station_id = sl.station_id AND r.slot_no = sl.slot_no AND r.serial_number = p.serial_number
WHERE sl.station_id = ANY(:station_ids::text[])
ORDER BY sl.station_id, sl.slot_no;

-- name: pack_models
SELECT pack_model_id, nominal_wh, nominal_v, max_charge_w, hand_out_soc, target_soc, max_hand_out_degc, max_cell_spread_mv
FROM pack_model
WHERE (:after::text IS NULL OR pack_model_id > :after)
ORDER BY pack_model_id LIMIT :row_limit;

-- name: packs
SELECT serial_number, pack_model_id, place, station_id, slot_no, asset_id AS vehicle_id, condition, registered_at, placed_at
FROM pack
WHERE (:after::text IS NULL OR serial_number > :after)
  AND (:place::text IS NULL OR place = :place)
  AND (:pack_model_id::text IS NULL OR pack_model_id = :pack_model_id)
ORDER BY serial_number LIMIT :row_limit;

-- name: riders
SELECT rider_id, name, status, registered_at
FROM rider
WHERE (:after::text IS NULL OR rider_id > :after) AND (:rider_id::text IS NULL OR rider_id = :rider_id)
ORDER BY rider_id LIMIT :row_limit;

-- name: vehicles
SELECT a.asset_id AS vehicle_id, a.rider_id, a.pack_model_id, a.pack_count, a.wiring, a.registered_at,
       ARRAY(SELECT p.serial_number FROM pack p WHERE p.place = 'asset' AND p.asset_id = a.asset_id ORDER BY 1) AS serial_numbers
FROM asset a
WHERE a.kind = 'vehicle'
  AND (:after::text IS NULL OR a.asset_id > :after)
  AND (:rider_id::text IS NULL OR a.rider_id = :rider_id)
ORDER BY a.asset_id LIMIT :row_limit;

-- name: reservations
SELECT reservation_id, rider_id, asset_id AS vehicle_id, station_id, status, pack_count, promised_usable_wh, price_micro, currency,
       reason AS why, created_at, arrive_from, expires_at, ended_at
FROM reservation
WHERE (:rider_id::text IS NULL OR rider_id = :rider_id)
  AND (:reservation_id::text IS NULL OR reservation_id = :reservation_id)
  AND (:status::text IS NULL OR status = :status)
  AND (:after_at::timestamptz IS NULL OR (created_at, reservation_id) < (:after_at, :after_id::text))
ORDER BY created_at DESC, reservation_id DESC LIMIT :row_limit;

-- name: swaps
SELECT w.swap_id, w.reservation_id, w.rider_id, w.asset_id AS vehicle_id, w.station_id, w.status, w.status_reason, w.pack_count,
       w.packs_in, w.packs_out, w.promised_usable_wh, w.price_micro, w.currency, w.created_at, w.ended_at,
       coalesce((SELECT jsonb_agg(jsonb_build_object('direction', m.direction, 'serial_number', m.serial_number, 'slot_no', m.slot_no,
                                                     'soc', m.soc, 'usable_wh', m.usable_wh, 'moved_at', m.moved_at)
                                  ORDER BY m.moved_at, m.direction, m.slot_no)
                 FROM swap_pack m WHERE m.swap_id = w.swap_id), '[]'::jsonb)::text AS packs
FROM swap w
WHERE (:rider_id::text IS NULL OR w.rider_id = :rider_id)
  AND (:swap_id::text IS NULL OR w.swap_id = :swap_id)
  AND (:station_id::text IS NULL OR w.station_id = :station_id)
  AND (:after_at::timestamptz IS NULL OR (w.created_at, w.swap_id) < (:after_at, :after_id::text))
ORDER BY w.created_at DESC, w.swap_id DESC LIMIT :row_limit;

-- name: live_reservation$
SELECT reservation_id FROM reservation
WHERE asset_id = (SELECT asset_id FROM swap WHERE swap_id = :swap_id) AND status IN ('pending', 'reserved');

-- name: anomalies
SELECT anomaly_id, kind, station_id, serial_number, swap_id, detail::text AS detail, seen_at, closed_at
FROM anomaly
WHERE (:kind::text IS NULL OR kind = :kind)
  AND (:station_id::text IS NULL OR station_id = :station_id)
  AND (:after_id::bigint IS NULL OR anomaly_id < :after_id)
ORDER BY anomaly_id DESC LIMIT :row_limit;

-- name: debts
SELECT debt_id, swap_id, owed_by, rider_id, serial_number, value_micro, currency, reason, opened_at, due_at, closed_at, closed_reason
FROM debt
WHERE (:open_only::boolean IS FALSE OR closed_at IS NULL)
  AND (:rider_id::text IS NULL OR rider_id = :rider_id)
  AND (:after_at::timestamptz IS NULL OR (opened_at, debt_id) < (:after_at, :after_id::text))
ORDER BY opened_at DESC, debt_id DESC LIMIT :row_limit;

-- name: plan^
SELECT plan_id, made_at, start_at, step_s, step_count, station_count, engine, coupled_by, objective_jpy, bound_jpy, gap,
       shortfall_wh, truncated, solve_s, price_source, fleet_ac_w, price_jpy_per_kwh, renewable_w
FROM plan
WHERE CASE WHEN :plan_id::text IS NULL THEN made_at <= :now ELSE plan_id = :plan_id END
ORDER BY made_at DESC, plan_id DESC LIMIT 1;

-- name: plan_stations
SELECT station_id, energy_ac_wh, shortfall_wh, reason FROM plan_station WHERE plan_id = :plan_id ORDER BY station_id;

-- name: fleet_counts
-- Everything that is counted, as (group, name, count).
SELECT 'stations' AS "group", lifecycle AS name, count(*) AS count FROM station GROUP BY lifecycle
UNION ALL SELECT 'stations_connected', 'connected', count(*) FROM station_live WHERE connected
UNION ALL SELECT 'slots', status, count(*) FROM slot GROUP BY status
UNION ALL SELECT 'packs_by_place', place, count(*) FROM pack GROUP BY place
UNION ALL SELECT 'packs_by_condition', condition, count(*) FROM pack GROUP BY condition
UNION ALL SELECT 'riders', status, count(*) FROM rider GROUP BY status
UNION ALL SELECT 'vehicles', 'vehicle', count(*) FROM asset WHERE kind = 'vehicle'
UNION ALL SELECT 'live_reservations', status, count(*) FROM reservation WHERE status IN ('pending', 'reserved') GROUP BY status
UNION ALL SELECT 'swaps', status, count(*) FROM swap GROUP BY status
UNION ALL SELECT 'open_debts', owed_by, count(*) FROM debt WHERE closed_at IS NULL GROUP BY owed_by
UNION ALL SELECT 'open_anomalies', kind, count(*) FROM anomaly WHERE closed_at IS NULL GROUP BY kind;

-- name: migrations$
SELECT count(*) FROM migration;
