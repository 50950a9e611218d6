-- Stations, slots, packs and holds as the desk needs them. Who changes them holds the row of the station.

-- name: lock_station^
-- Not FOR UPDATE: foreign keys of other rows may go on pointing here while the desk works.
SELECT station_id, name, latitude, longitude, lifecycle, swap_order, first_birth_at
FROM station WHERE station_id = :station_id FOR NO KEY UPDATE;

-- name: try_lock_station$
SELECT station_id FROM station WHERE station_id = :station_id FOR NO KEY UPDATE SKIP LOCKED;

-- name: station_presence^
SELECT s.lifecycle, coalesce(l.connected, false) AS connected, l.heard_at
FROM station s LEFT JOIN station_live l USING (station_id) WHERE s.station_id = :station_id;

-- name: take_request_id$
UPDATE station SET next_request_id = CASE WHEN next_request_id >= 2147483646 THEN 1073741825 ELSE next_request_id + 1 END
WHERE station_id = :station_id RETURNING next_request_id;

-- name: stations_near
-- Squared distance on a plane is enough to order; metres are computed from the position.
SELECT s.station_id, s.name, s.latitude, s.longitude, s.lifecycle, s.swap_order,
       coalesce(l.connected, false) AS connected, l.heard_at
FROM station s LEFT JOIN station_live l USING (station_id)
WHERE (:station_id::text IS NULL OR s.station_id = :station_id)
  AND (:but_not::text IS NULL OR s.station_id <> :but_not)
  AND s.lifecycle <> 'decommissioned'
ORDER BY CASE WHEN :latitude::float8 IS NULL THEN 0
              ELSE (s.latitude - :latitude) ^ 2 + ((s.longitude - :longitude::float8) * cos(radians(:latitude))) ^ 2 END,
         s.station_id
LIMIT :most;

-- name: packs_at
SELECT p.station_id, p.serial_number, p.slot_no, p.condition, coalesce(h.swap_id, h.reservation_id) AS pack_held_by,
       m.pack_model_id, m.nominal_wh, m.nominal_v, m.max_charge_w, m.hand_out_soc, m.target_soc, m.max_hand_out_degc,
       m.max_cell_spread_mv, l.soc, l.soh, l.temp_max_degc, l.cell_spread_mv, l.fault_count, l.charging_state, l.reading_at
FROM pack p
JOIN pack_model m USING (pack_model_id)
JOIN slot s ON s.station_id = p.station_id AND s.slot_no = p.slot_no
LEFT JOIN pack_hold h ON h.serial_number = p.serial_number AND h.released_at IS NULL
LEFT JOIN slot_reading l ON l.station_id = ANY(:station_ids) AND l.station_id = p.station_id AND l.slot_no = p.slot_no AND l.serial_number = p.serial_number
WHERE p.place = 'slot' AND p.station_id = ANY(:station_ids) AND NOT s.quarantined AND s.status = 'occupied'
  AND (:pack_model_id::text IS NULL OR p.pack_model_id = :pack_model_id);

-- name: free_slots
-- Empty by the word of the station and by our own, in service, and held by nobody but `for_holder`.
SELECT s.station_id, s.slot_no, coalesce(h.swap_id, h.reservation_id) AS held_by
FROM slot s
LEFT JOIN slot_hold h ON h.station_id = s.station_id AND h.slot_no = s.slot_no AND h.released_at IS NULL
WHERE s.station_id = ANY(:station_ids) AND s.status = 'empty' AND NOT s.quarantined
  AND (cardinality(s.accepts) = 0 OR :pack_model_id = ANY(s.accepts))
  AND (h.slot_hold_id IS NULL OR coalesce(h.swap_id, h.reservation_id) = :for_holder)
  AND NOT EXISTS (SELECT FROM pack p WHERE p.place = 'slot' AND p.station_id = s.station_id AND p.slot_no = s.slot_no)
ORDER BY s.station_id, s.slot_no;

-- name: vehicle^
SELECT a.asset_id, a.rider_id, a.pack_model_id, a.pack_count, a.wiring, r.status AS rider_status
FROM asset a LEFT JOIN rider r USING (rider_id) WHERE a.asset_id = :asset_id;

-- name: vehicles_of
SELECT asset_id FROM asset WHERE rider_id = :rider_id ORDER BY asset_id;

-- name: vehicle_packs
SELECT serial_number FROM pack WHERE place = 'asset' AND asset_id = :asset_id ORDER BY serial_number;

-- name: last_soh$
SELECT avg(sp.soh) FROM swap_pack sp
WHERE sp.direction = 'out' AND sp.swap_id = (
    SELECT swap_id FROM swap WHERE rider_id = :rider_id AND status IN ('completed', 'settled')
    ORDER BY created_at DESC, swap_id DESC LIMIT 1);

-- name: hold_packs!
INSERT INTO pack_hold (serial_number, reservation_id, held_at)
SELECT unnest(:serials::text[]), :reservation_id, :now;

-- name: hold_slots!
INSERT INTO slot_hold (station_id, slot_no, reservation_id, held_at)
SELECT :station_id, unnest(:slots::smallint[]), :reservation_id, :now;

-- name: packs_held
SELECT serial_number FROM pack_hold
WHERE released_at IS NULL AND coalesce(swap_id, reservation_id) = :holder ORDER BY pack_hold_id;

-- name: slots_held
SELECT slot_no FROM slot_hold
WHERE released_at IS NULL AND coalesce(swap_id, reservation_id) = :holder ORDER BY slot_hold_id;

-- name: release_packs_of!
UPDATE pack_hold SET released_at = :now WHERE released_at IS NULL AND coalesce(swap_id, reservation_id) = :holder;

-- name: release_slots_of!
UPDATE slot_hold SET released_at = :now WHERE released_at IS NULL AND coalesce(swap_id, reservation_id) = :holder;

-- name: release_pack!
UPDATE pack_hold SET released_at = :now WHERE released_at IS NULL AND serial_number = :serial_number;

-- name: release_slot_held_by!
UPDATE slot_hold SET released_at = :now
WHERE released_at IS NULL AND station_id = :station_id AND slot_no = :slot_no AND coalesce(swap_id, reservation_id) = :holder;

-- name: pass_pack_holds!
UPDATE pack_hold SET swap_id = :swap_id, reservation_id = :reservation_id
WHERE released_at IS NULL AND coalesce(swap_id, reservation_id) = :holder;

-- name: pass_slot_holds!
UPDATE slot_hold SET swap_id = :swap_id, reservation_id = :reservation_id
WHERE released_at IS NULL AND coalesce(swap_id, reservation_id) = :holder;

-- name: packs_believed
SELECT serial_number, pack_model_id, place, station_id, slot_no, asset_id, condition FROM pack
WHERE serial_number = ANY(:serials) FOR NO KEY UPDATE;

-- name: packs_in_slots
SELECT serial_number, slot_no FROM pack WHERE place = 'slot' AND station_id = :station_id;

-- name: pack_in_slot$
SELECT serial_number FROM pack WHERE place = 'slot' AND station_id = :station_id AND slot_no = :slot_no;

-- name: place_pack!
-- The one statement that moves a pack: the row and the event that proves it, together.
WITH placed AS (
    UPDATE pack SET place = :place, station_id = :station_id, slot_no = :slot_no, asset_id = :asset_id, placed_at = :now
    WHERE serial_number = :serial_number RETURNING serial_number
)
INSERT INTO desk_event (at, kind, station_id, swap_id, serial_number, body)
SELECT :now, 'pack_placed', :seen_at_station, :swap_id, serial_number,
       jsonb_build_object('place', :place::text, 'station_id', :station_id::text, 'slot_no', :slot_no::smallint,
                          'asset_id', :asset_id::text, 'why', :why::text)
FROM placed;

-- name: say_slot!
-- Newer words only; a status is what the station says, the quarantine is ours.
UPDATE slot SET status = :status, epoch = :epoch, boot = :boot, seq = :seq
WHERE station_id = :station_id AND slot_no = :slot_no AND (epoch, boot, seq) < (:epoch::int, :boot::int, :seq::bigint);

-- name: quarantine_slot!
UPDATE slot SET quarantined = :quarantined
WHERE station_id = :station_id AND slot_no = :slot_no AND quarantined <> :quarantined;

-- name: say_station$
UPDATE station SET vendor = :vendor, model = :model, firmware = :firmware, swap_order = :swap_order,
    max_import_ac_w = :max_import_ac_w, charger_efficiency = :charger_efficiency, schedule_id = :schedule_id,
    birth_epoch = :epoch, birth_boot = :boot, birth_seq = :seq, first_birth_at = coalesce(first_birth_at, :now)
WHERE station_id = :station_id
  AND (birth_epoch IS NULL OR (birth_epoch, birth_boot, birth_seq) < (:epoch::int, :boot::int, :seq::bigint))
RETURNING station_id;

-- name: describe_slots!
INSERT INTO slot (station_id, slot_no, status, accepts, zone, max_charge_dc_w, epoch, boot, seq)
SELECT :station_id, d.slot_no, d.status, ARRAY(SELECT jsonb_array_elements_text(d.accepts)), d.zone, d.max_charge_dc_w,
       :epoch, :boot, :seq
FROM jsonb_to_recordset(:slots::jsonb)
    AS d (slot_no smallint, status text, accepts jsonb, zone text, max_charge_dc_w float8)
ON CONFLICT (station_id, slot_no) DO UPDATE SET accepts = excluded.accepts, zone = excluded.zone,
    max_charge_dc_w = excluded.max_charge_dc_w, status = excluded.status,
    epoch = excluded.epoch, boot = excluded.boot, seq = excluded.seq
WHERE (slot.epoch, slot.boot, slot.seq) < (excluded.epoch, excluded.boot, excluded.seq);

-- name: slots_not_described!
UPDATE slot SET status = 'disabled' WHERE station_id = :station_id AND NOT slot_no = ANY(:slots::smallint[]);

-- name: quarantined_slots
SELECT slot_no FROM slot WHERE station_id = :station_id AND quarantined;

-- name: set_lifecycle!
UPDATE station SET lifecycle = :lifecycle WHERE station_id = :station_id AND lifecycle <> :lifecycle;

-- name: emission^
SELECT value, source FROM signal
WHERE series = 'emission_g_per_kwh' AND place_kind = 'area' AND place = :area AND start_at <= :now AND known_at <= :now
  AND start_at > :now::timestamptz - interval '1 day'
ORDER BY start_at DESC, known_at DESC LIMIT 1;

-- name: live_serials
SELECT u.serial_number FROM station_live l CROSS JOIN LATERAL unnest(l.serial_number) AS u (serial_number)
WHERE l.station_id = :station_id AND u.serial_number IS NOT NULL;
