-- Reservations, swaps, debts, anomalies, and the log of the desk.

-- name: insert_reservation!
INSERT INTO reservation (reservation_id, rider_id, asset_id, station_id, status, pack_count, promised_usable_wh, price_micro,
    currency, reason, created_at, arrive_from, expires_at)
VALUES (:reservation_id, :rider_id, :asset_id, :station_id, :status, :pack_count, :promised_usable_wh, :price_micro,
    :currency, :reason, :created_at, :arrive_from, :expires_at);

-- name: reservation^
SELECT * FROM reservation WHERE reservation_id = :reservation_id;

-- name: live_reservation_of^
SELECT * FROM reservation WHERE asset_id = :asset_id AND status IN ('pending', 'reserved');

-- name: live_reservations_at
SELECT * FROM reservation WHERE station_id = :station_id AND status IN ('pending', 'reserved');

-- name: end_reservation!
-- The row and the event that proves it, together; one that has ended stays as it is and says nothing.
WITH ended AS (
    UPDATE reservation SET status = :status, ended_at = :now
    WHERE reservation_id = :reservation_id AND status IN ('pending', 'reserved')
    RETURNING reservation_id, station_id
)
INSERT INTO desk_event (at, kind, station_id, reservation_id, swap_id, body)
SELECT :now, 'reservation_ended', station_id, reservation_id, :swap_id, jsonb_build_object('status', :status::text) FROM ended;

-- name: reservations_over
-- Not while a swap of it is on its way: that swap decides.
SELECT r.reservation_id, r.station_id FROM reservation r
WHERE r.status IN ('pending', 'reserved') AND r.expires_at <= :now
  AND NOT EXISTS (SELECT FROM swap s WHERE s.reservation_id = r.reservation_id
                  AND s.status IN ('requested', 'authorised', 'half_in', 'half_out', 'unresolved'))
ORDER BY r.expires_at LIMIT :most;

-- name: insert_swap!
INSERT INTO swap (swap_id, reservation_id, rider_id, asset_id, station_id, request_id, token, swap_order, status, pack_count,
    promised_usable_wh, price_micro, currency, created_at, deadline_at)
VALUES (:swap_id, :reservation_id, :rider_id, :asset_id, :station_id, :request_id, :token, :swap_order, 'requested', :pack_count,
    :promised_usable_wh, :price_micro, :currency, :created_at, :deadline_at);

-- name: swap_by_id^
SELECT s.*, coalesce(r.status = 'fulfilled', true) AS was_authorised
FROM swap s LEFT JOIN reservation r USING (reservation_id) WHERE s.swap_id = :swap_id;

-- name: swap_by_request^
SELECT s.*, coalesce(r.status = 'fulfilled', true) AS was_authorised
FROM swap s LEFT JOIN reservation r USING (reservation_id) WHERE s.station_id = :station_id AND s.request_id = :request_id;

-- name: live_swap_of$
SELECT swap_id FROM swap WHERE asset_id = :asset_id
  AND status IN ('requested', 'authorised', 'half_in', 'half_out', 'unresolved');

-- name: open_swaps_at
SELECT s.*, coalesce(r.status = 'fulfilled', true) AS was_authorised
FROM swap s LEFT JOIN reservation r USING (reservation_id)
WHERE s.station_id = :station_id
  AND s.status IN ('requested', 'authorised', 'half_in', 'half_out', 'unresolved', 'orphan_in', 'orphan_out');

-- name: swaps_over
SELECT swap_id, station_id FROM swap
WHERE deadline_at <= :now
  AND status IN ('requested', 'authorised', 'half_in', 'half_out', 'unresolved', 'orphan_in', 'orphan_out')
ORDER BY deadline_at LIMIT :most;

-- name: update_swap
WITH changed AS (
    UPDATE swap SET status = :status, status_reason = :status_reason, packs_in = :packs_in, packs_out = :packs_out,
        deadline_at = :deadline_at, ended_at = :ended_at
    WHERE swap_id = :swap_id RETURNING swap_id
)
SELECT pg_notify('swap_changed', '') FROM changed;

-- name: put_off_swap!
UPDATE swap SET deadline_at = :deadline_at WHERE swap_id = :swap_id;

-- name: swap_packs
SELECT direction, serial_number, slot_no, soc, soh, usable_wh, moved_at FROM swap_pack
WHERE swap_id = :swap_id ORDER BY moved_at, direction, serial_number;

-- name: insert_swap_pack!
INSERT INTO swap_pack (swap_id, direction, serial_number, slot_no, soc, soh, usable_wh, moved_at)
VALUES (:swap_id, :direction, :serial_number, :slot_no, :soc, :soh,
    :soc::float8 * :soh::float8 * (SELECT m.nominal_wh FROM pack p JOIN pack_model m USING (pack_model_id)
                                   WHERE p.serial_number = :serial_number::text), :moved_at)
ON CONFLICT DO NOTHING;

-- name: start_command^
SELECT command_id, status, answer, reason_code, sent_at, valid_until FROM command
WHERE swap_id = :swap_id AND name = 'start_swap' ORDER BY issued_at DESC LIMIT 1;

-- name: insert_debt!
INSERT INTO debt (debt_id, swap_id, owed_by, rider_id, serial_number, value_micro, currency, reason, opened_at, due_at)
VALUES (:debt_id, :swap_id, :owed_by, :rider_id, :serial_number, :value_micro, :currency, :reason, :opened_at, :due_at);

-- name: open_debts_of_swap
SELECT debt_id, owed_by FROM debt WHERE swap_id = :swap_id AND closed_at IS NULL ORDER BY opened_at, debt_id;

-- name: close_debt!
UPDATE debt SET closed_at = :now, closed_reason = :reason WHERE debt_id = :debt_id AND closed_at IS NULL;

-- name: debts_of_vehicle
SELECT d.owed_by FROM debt d JOIN swap s USING (swap_id) WHERE s.asset_id = :asset_id AND d.closed_at IS NULL;

-- name: insert_anomaly!
INSERT INTO anomaly (kind, station_id, serial_number, swap_id, detail, seen_at)
VALUES (:kind, :station_id, :serial_number, :swap_id, :detail, :now);

-- name: insert_anomaly_once!
-- The same finding again (each birth repeats it) is no news while it is open.
INSERT INTO anomaly (kind, station_id, serial_number, swap_id, detail, seen_at)
SELECT :kind::text, :station_id::text, :serial_number::text, NULL, :detail::jsonb, :now
WHERE NOT EXISTS (SELECT FROM anomaly WHERE kind = :kind AND station_id IS NOT DISTINCT FROM :station_id
                  AND serial_number IS NOT DISTINCT FROM :serial_number AND closed_at IS NULL);

-- name: insert_event!
INSERT INTO desk_event (at, kind, station_id, reservation_id, swap_id, serial_number, body)
VALUES (:now, :kind, :station_id, :reservation_id, :swap_id, :serial_number, :body);

-- name: events_after
-- A bare sequence loses rows that commit late: read by transaction, and only below the oldest one still running.
SELECT xid::text AS xid, desk_event_id, at, kind, station_id, reservation_id, swap_id, serial_number, body
FROM desk_event
WHERE (xid, desk_event_id) > (:after_xid::text::xid8, :after_id::bigint) AND xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY xid, desk_event_id LIMIT :most;

-- name: pinned_serials
SELECT jsonb_array_elements_text(body -> 'offer_serials') AS serial_number FROM command WHERE command_id = :command_id;
