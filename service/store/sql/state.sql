-- One picture of the fleet, read inside one REPEATABLE READ transaction.

-- name: fleet_stations
-- Stations that serve and have told what they are.
SELECT s.station_id, s.name, s.first_birth_at, s.max_import_ac_w, s.charger_efficiency,
       coalesce(l.connected, false) AS connected, l.heard_at,
       l.slot_no, l.serial_number, l.soc, l.soh, l.charging_state, l.temp_max_degc, l.cell_spread_mv, l.fault_count, l.reading_at
FROM station s
LEFT JOIN station_live l USING (station_id)
WHERE s.lifecycle = 'in_service' AND s.first_birth_at IS NOT NULL AND s.max_import_ac_w IS NOT NULL
ORDER BY s.station_id;

-- name: fleet_slots
SELECT station_id, slot_no, status, max_charge_dc_w, quarantined
FROM slot
ORDER BY station_id, slot_no;

-- name: fleet_packs
SELECT p.station_id, p.slot_no, p.serial_number, p.pack_model_id, p.condition,
       coalesce(h.swap_id, h.reservation_id) AS held_by
FROM pack p
LEFT JOIN pack_hold h ON h.serial_number = p.serial_number AND h.released_at IS NULL
WHERE p.place = 'slot'
ORDER BY p.station_id, p.slot_no;

-- name: fleet_models
SELECT pack_model_id, nominal_wh, nominal_v, max_charge_w, hand_out_soc, target_soc, max_hand_out_degc, max_cell_spread_mv
FROM pack_model;

-- name: fleet_claims
SELECT r.station_id, r.reservation_id, a.pack_model_id, r.pack_count, r.arrive_from, r.expires_at
FROM reservation r
JOIN asset a USING (asset_id)
WHERE r.status IN ('pending', 'reserved') AND r.expires_at > :now
ORDER BY r.station_id, r.arrive_from, r.reservation_id;

-- name: fleet_handed_out
SELECT s.station_id, date_trunc('hour', p.moved_at) AS hour_at, count(*)::integer AS pack_count
FROM swap_pack p
JOIN swap s USING (swap_id)
WHERE p.direction = 'out' AND p.moved_at > :since AND p.moved_at <= :now
GROUP BY 1, 2
ORDER BY 1, 2;

-- name: fleet_return_soc^
SELECT count(*)::integer AS pack_count, avg(soc)::double precision AS soc
FROM swap_pack
WHERE direction = 'in' AND moved_at > :since AND moved_at <= :now;

-- name: fleet_last_schedules
-- One index probe per station: the outbox keeps every schedule that was ever sent.
SELECT s.station_id, c.body, c.issued_at,
       c.status IN ('queued', 'sent', 'acknowledged') AND coalesce(c.answer, 'accepted') IN ('accepted', 'completed') AS stands
FROM station s
CROSS JOIN LATERAL (
    SELECT body, issued_at, status, answer
    FROM command
    WHERE command.station_id = s.station_id AND command.name = 'set_schedule'
    ORDER BY issued_at DESC
    LIMIT 1
) AS c
WHERE s.lifecycle = 'in_service';
