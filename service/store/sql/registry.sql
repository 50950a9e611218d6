-- Bulk registration, set-based: every statement takes whole columns, ordered by id so that two bulk bodies cannot deadlock.

-- name: add_pack_models
INSERT INTO pack_model (pack_model_id, nominal_wh, nominal_v, max_charge_w, hand_out_soc, target_soc, max_hand_out_degc, max_cell_spread_mv)
SELECT * FROM unnest(:ids::text[], :nominal_wh::double precision[], :nominal_v::double precision[], :max_charge_w::double precision[],
                     :hand_out_soc::double precision[], :target_soc::double precision[], :max_hand_out_degc::double precision[],
                     :max_cell_spread_mv::integer[]) AS given (id)
ORDER BY given.id
ON CONFLICT DO NOTHING
RETURNING pack_model_id AS id;

-- name: take_pack_models
SELECT pack_model_id, nominal_wh, nominal_v, max_charge_w, hand_out_soc, target_soc, max_hand_out_degc, max_cell_spread_mv
FROM pack_model WHERE pack_model_id = ANY(:ids::text[]);

-- name: add_packs
INSERT INTO pack (serial_number, pack_model_id, place, registered_at, placed_at)
SELECT given.id, given.pack_model_id, 'depot', :now::timestamptz, :now
FROM unnest(:ids::text[], :pack_model_ids::text[]) AS given (id, pack_model_id)
ORDER BY given.id
ON CONFLICT DO NOTHING
RETURNING serial_number AS id;

-- name: take_packs
SELECT serial_number, pack_model_id, place, asset_id
FROM pack WHERE serial_number = ANY(:ids::text[]);

-- name: lock_packs
SELECT serial_number, pack_model_id, place, condition
FROM pack WHERE serial_number = ANY(:ids::text[])
ORDER BY serial_number FOR UPDATE;

-- name: add_riders
INSERT INTO rider (rider_id, name, registered_at)
SELECT given.id, given.name, :now::timestamptz
FROM unnest(:ids::text[], :names::text[]) AS given (id, name)
ORDER BY given.id
ON CONFLICT DO NOTHING
RETURNING rider_id AS id;

-- name: take_riders
SELECT rider_id, name, status FROM rider WHERE rider_id = ANY(:ids::text[]);

-- name: add_vehicles
INSERT INTO asset (asset_id, kind, rider_id, pack_model_id, pack_count, wiring, registered_at)
SELECT given.id, 'vehicle', given.rider_id, given.pack_model_id, given.pack_count, given.wiring, :now::timestamptz
FROM unnest(:ids::text[], :rider_ids::text[], :pack_model_ids::text[], :pack_counts::smallint[], :wirings::text[])
    AS given (id, rider_id, pack_model_id, pack_count, wiring)
ORDER BY given.id
ON CONFLICT DO NOTHING
RETURNING asset_id AS id;

-- name: take_vehicles
SELECT asset_id, kind, rider_id, pack_model_id, pack_count, wiring FROM asset WHERE asset_id = ANY(:ids::text[]);

-- name: place_in_vehicles!
UPDATE pack SET place = 'asset', asset_id = given.asset_id, placed_at = :now::timestamptz
FROM unnest(:serial_numbers::text[], :asset_ids::text[]) AS given (serial_number, asset_id)
WHERE pack.serial_number = given.serial_number AND pack.place = 'depot';

-- name: note_placed!
INSERT INTO desk_event (at, kind, serial_number, body)
SELECT :now::timestamptz, 'pack_placed', given.serial_number,
       jsonb_build_object('place', 'asset', 'station_id', NULL, 'slot_no', NULL, 'asset_id', given.asset_id, 'why', 'registered')
FROM unnest(:serial_numbers::text[], :asset_ids::text[]) AS given (serial_number, asset_id)
ORDER BY given.serial_number;
