-- name: registered
SELECT station_id FROM station WHERE station_id = ANY (:station_ids::text[]);

-- name: lock_boots
SELECT station_id, epoch, boot, settled, stored, refused, dropped, lost, duplicates, gap_since, replays, asked, last_at
FROM station_boot
JOIN unnest(:station_ids::text[], :epochs::int[], :boots::int[]) AS wanted (station_id, epoch, boot) USING (station_id, epoch, boot)
ORDER BY station_id COLLATE "C", epoch, boot
FOR UPDATE OF station_boot;

-- name: make_boots!
INSERT INTO station_boot (station_id, epoch, boot, first_at, last_at)
SELECT station_id, epoch, boot, :now, :now
FROM unnest(:station_ids::text[], :epochs::int[], :boots::int[]) WITH ORDINALITY AS wanted (station_id, epoch, boot, at)
ORDER BY at
ON CONFLICT DO NOTHING;

-- name: write_boots!
UPDATE station_boot
SET settled = new.settled::int8multirange, stored = new.stored, refused = new.refused, dropped = new.dropped, lost = new.lost,
    duplicates = new.duplicates, gap_since = new.gap_since, replays = new.replays, asked = new.asked::int8multirange, last_at = :now
FROM unnest(:station_ids::text[], :epochs::int[], :boots::int[], :settled::text[], :stored::bigint[], :refused::bigint[],
            :dropped::bigint[], :lost::bigint[], :duplicates::bigint[], :gap_since::timestamptz[], :replays::smallint[], :asked::text[])
     AS new (station_id, epoch, boot, settled, stored, refused, dropped, lost, duplicates, gap_since, replays, asked)
WHERE station_boot.station_id = new.station_id AND station_boot.epoch = new.epoch AND station_boot.boot = new.boot;

-- name: stuck_boots
SELECT station_id, station_boot.epoch, station_boot.boot
FROM station_boot
JOIN station_live USING (station_id)
WHERE gap_since <= :stuck_before AND connected AND heard_at > gap_since
ORDER BY gap_since
LIMIT :limit;

-- name: lock_live
SELECT station_id, connected, session_epoch, session_boot, session, connection_at, heard_at, birth_at, birth_epoch, birth_boot,
       birth_seq, clock_source, clock_offset_ms, slot_no, serial_number, soc, soh, charging_state, power_dc_w, temp_max_degc,
       cell_spread_mv, fault_count, energy_in_wh, reading_at, epoch, boot, seq
FROM station_live
WHERE station_id = ANY (:station_ids::text[])
ORDER BY station_id COLLATE "C"
FOR UPDATE;

-- name: make_live!
INSERT INTO station_live (station_id)
SELECT station_id FROM unnest(:station_ids::text[]) WITH ORDINALITY AS wanted (station_id, at) ORDER BY at
ON CONFLICT DO NOTHING;

-- name: write_live*!
UPDATE station_live
SET connected = :connected, session_epoch = :session_epoch, session_boot = :session_boot, session = :session,
    connection_at = :connection_at, heard_at = :heard_at, birth_at = :birth_at, birth_epoch = :birth_epoch,
    birth_boot = :birth_boot, birth_seq = :birth_seq, clock_source = :clock_source, clock_offset_ms = :clock_offset_ms,
    slot_no = :slot_no, serial_number = :serial_number, soc = :soc, soh = :soh, charging_state = :charging_state,
    power_dc_w = :power_dc_w, temp_max_degc = :temp_max_degc, cell_spread_mv = :cell_spread_mv, fault_count = :fault_count,
    energy_in_wh = :energy_in_wh, reading_at = :reading_at, epoch = :epoch, boot = :boot, seq = :seq
WHERE station_id = :station_id;

-- name: notify_events!
NOTIFY station_event;

-- name: count_refusals!
INSERT INTO refusal_count (reason, count) VALUES (:reason, :count)
ON CONFLICT (reason) DO UPDATE SET count = refusal_count.count + excluded.count;

-- name: report_lost!
INSERT INTO anomaly (kind, station_id, detail, seen_at)
VALUES ('messages_lost', :station_id,
        jsonb_build_object('epoch', :epoch::int, 'boot', :boot::int, 'count', :count::bigint), :now);
