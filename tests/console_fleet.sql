-- A fleet for the console's tests: 24 stations of 14 slots at the instant in the setting seed.now. No chance: hashes of names.
CREATE FUNCTION pg_temp.at() RETURNS timestamptz LANGUAGE sql AS $$ SELECT current_setting('seed.now')::timestamptz $$;
CREATE FUNCTION pg_temp.share(name text) RETURNS double precision LANGUAGE sql IMMUTABLE AS
    $$ SELECT (abs(hashtext(name)::bigint) % 1000) / 1000.0 $$;

INSERT INTO pack_model (pack_model_id, nominal_wh, nominal_v, max_charge_w) VALUES ('kei-48', 1300, 50.4, 700);

INSERT INTO station (station_id, part, name, latitude, longitude, registered_at, first_birth_at, max_import_ac_w)
SELECT 'st-' || lpad(no::text, 3, '0'), no % 64, name, 33.6 + pg_temp.share(name) / 5, 130.4 + pg_temp.share('x' || name) / 5,
       pg_temp.at() - interval '90 days', CASE WHEN no < 24 THEN pg_temp.at() - interval '80 days' END, 9000
FROM unnest(ARRAY['Hakata Eki', 'Tenjin Kita', 'Ohori Koen', 'Yakuin', 'Nakasu', 'Momochi', 'Nishijin', 'Meinohama', 'Kashii', 'Hakozaki',
    'Ropponmatsu', 'Gion', 'Chikushi', 'Dazaifu', 'Kokura', 'Moji', 'Yahata', 'Tobata', 'Kurume', 'Tosu', 'Saga', 'Karatsu', 'Itoshima',
    'Munakata']) WITH ORDINALITY AS named (name, no);

INSERT INTO slot (station_id, slot_no, status, accepts, max_charge_dc_w, epoch, boot, seq)
SELECT station_id, no,
       CASE WHEN station_id = 'st-003' AND no = 14 THEN 'faulted'
            WHEN no = 14 OR (no > 11 AND pg_temp.share(station_id || no) < 0.6) THEN 'empty' ELSE 'occupied' END,
       ARRAY['kei-48'], 700, 1, 1, 1
FROM station CROSS JOIN generate_series(1, 14) no WHERE first_birth_at IS NOT NULL;

INSERT INTO pack (serial_number, pack_model_id, place, station_id, slot_no, registered_at, placed_at, condition)
SELECT 'KA' || substr(station_id, 4) || lpad(slot_no::text, 2, '0'), 'kei-48', 'slot', station_id, slot_no,
       pg_temp.at() - interval '80 days', pg_temp.at() - interval '1 day',
       CASE WHEN station_id = 'st-004' AND slot_no = 2 THEN 'quarantined' ELSE 'ok' END
FROM slot WHERE status = 'occupied' AND NOT (station_id = 'st-005' AND slot_no = 1);
INSERT INTO pack (serial_number, pack_model_id, registered_at, placed_at)
SELECT 'KB' || no, 'kei-48', pg_temp.at() - interval '80 days', pg_temp.at() - interval '80 days' FROM generate_series(1, 40) no;

INSERT INTO station_live (station_id, connected, session, connection_at, heard_at, slot_no, serial_number, soc, soh, charging_state,
    power_dc_w, temp_max_degc, cell_spread_mv, fault_count, energy_in_wh, reading_at, epoch, boot, seq)
SELECT station_id, station_id <> 'st-007', 1, pg_temp.at() - interval '2 hours',
       pg_temp.at() - CASE WHEN station_id = 'st-007' THEN interval '25 minutes' ELSE interval '9 seconds' END,
       array_agg(slot_no ORDER BY slot_no), array_agg(serial ORDER BY slot_no), array_agg(soc ORDER BY slot_no),
       array_agg((0.9 + 0.1 * pg_temp.share(serial || 'h'))::real ORDER BY slot_no),
       array_agg(CASE WHEN serial IS NULL THEN NULL WHEN soc < 0.93 AND charges THEN 'charging' ELSE 'idle' END ORDER BY slot_no),
       array_agg(CASE WHEN serial IS NULL THEN NULL WHEN soc < 0.93 AND charges THEN 350 + 300 * pg_temp.share(serial || 'p') ELSE 0 END::real ORDER BY slot_no),
       array_agg((24 + 12 * pg_temp.share(serial || 't'))::real ORDER BY slot_no),
       array_agg((8 + 30 * pg_temp.share(serial || 's'))::smallint ORDER BY slot_no),
       array_agg(CASE WHEN station_id = 'st-002' AND slot_no = 4 THEN 2 ELSE 0 END::smallint ORDER BY slot_no),
       array_agg(90000::bigint ORDER BY slot_no),
       array_agg(pg_temp.at() - CASE WHEN station_id = 'st-007' THEN interval '26 minutes' ELSE interval '40 seconds' END ORDER BY slot_no),
       array_agg(1 ORDER BY slot_no), array_agg(1 ORDER BY slot_no), array_agg(7::bigint ORDER BY slot_no)
FROM (
    SELECT sl.station_id, sl.slot_no, pg_temp.share(sl.station_id || '-' || sl.slot_no || 'c') < 0.55 AS charges,
           CASE WHEN sl.status = 'occupied' THEN coalesce(p.serial_number, 'ZZ-unknown-1') END AS serial,
           CASE WHEN sl.status = 'occupied' THEN (0.25 + 0.75 * sqrt(pg_temp.share(sl.station_id || sl.slot_no || 'soc')))::real END AS soc
    FROM slot sl LEFT JOIN pack p USING (station_id, slot_no)
) reading
GROUP BY station_id;

INSERT INTO rider (rider_id, name, registered_at) SELECT 'rider-' || no, 'Rider ' || no, pg_temp.at() - interval '60 days' FROM generate_series(1, 80) no;
INSERT INTO asset (asset_id, rider_id, pack_model_id, pack_count, wiring, registered_at)
SELECT 'scooter-' || no, 'rider-' || no, 'kei-48', 2, 'parallel', pg_temp.at() - interval '60 days' FROM generate_series(1, 80) no;

INSERT INTO swap (swap_id, rider_id, asset_id, station_id, request_id, token, swap_order, status, status_reason, pack_count, packs_in, packs_out,
    promised_usable_wh, price_micro, currency, created_at, deadline_at, ended_at)
SELECT 'swp_' || no, 'rider-' || no, 'scooter-' || no, 'st-' || lpad((1 + no % 20)::text, 3, '0'), 1073741824 + no, 't' || no, 'In-Out', status,
       CASE status WHEN 'rejected' THEN 'busy' WHEN 'unresolved' THEN 'no_answer' END, 2,
       CASE WHEN status IN ('completed', 'half_in') THEN 2 ELSE 0 END, CASE WHEN status = 'completed' THEN 2 ELSE 0 END,
       2100, 500000000, 'JPY', pg_temp.at() - no * interval '90 seconds', pg_temp.at() + interval '2 minutes',
       CASE WHEN status IN ('completed', 'rejected', 'expired') THEN pg_temp.at() - no * interval '80 seconds' END
FROM (SELECT no, CASE WHEN no <= 3 THEN 'half_in' WHEN no = 4 THEN 'authorised' WHEN no = 41 THEN 'unresolved' WHEN no % 17 = 0 THEN 'rejected'
                      WHEN no % 29 = 0 THEN 'expired' ELSE 'completed' END AS status FROM generate_series(1, 80) no) made;

INSERT INTO pack_hold (serial_number, swap_id, held_at)
SELECT serial_number, CASE slot_no WHEN 1 THEN 'swp_1' ELSE 'swp_2' END, pg_temp.at() FROM pack WHERE station_id IN ('st-002', 'st-003') AND slot_no IN (1, 3);
INSERT INTO slot_hold (station_id, slot_no, swap_id, held_at) VALUES ('st-002', 14, 'swp_1', pg_temp.at());
INSERT INTO anomaly (kind, station_id, serial_number, detail, seen_at, closed_at) VALUES
    ('foreign_pack', 'st-005', 'ZZ-unknown-1', '{"slot_no": 1}', pg_temp.at() - interval '3 hours', NULL),
    ('slot_fault', 'st-003', NULL, '{"slot_no": 14, "code": "door_jammed"}', pg_temp.at() - interval '40 minutes', NULL),
    ('pack_fault', 'st-002', 'KA00204', '{"faults": 2}', pg_temp.at() - interval '50 minutes', NULL),
    ('energy_counter_fell', 'st-002', 'KA00206', '{"by_wh": 12}', pg_temp.at() - interval '2 days', pg_temp.at() - interval '1 day');
INSERT INTO debt (debt_id, swap_id, owed_by, rider_id, value_micro, currency, reason, opened_at, due_at) VALUES
    ('dbt_1', 'swp_41', 'rider', 'rider-41', 90000000000, 'JPY', 'one pack not returned', pg_temp.at() - interval '3 hours', pg_temp.at() + interval '21 hours'),
    ('dbt_2', 'swp_60', 'operator', 'rider-60', 90000000000, 'JPY', 'one pack not handed out', pg_temp.at() - interval '2 days', pg_temp.at() - interval '1 day');

INSERT INTO signal (series, place_kind, place, start_at, period_s, value, known_at, source)
SELECT 'price_jpy_per_kwh', 'area', 'kyushu', date_bin('30 minutes', pg_temp.at(), '2000-01-01Z') + no * interval '30 minutes', 1800, 12, pg_temp.at() - interval '1 day', 'synthetic'
FROM generate_series(0, 47) no;

INSERT INTO plan (plan_id, made_at, start_at, step_s, step_count, station_count, engine, objective_jpy, bound_jpy, gap, shortfall_wh, truncated, solve_s,
    price_source, supply_source, fleet_ac_w, price_jpy_per_kwh, renewable_w)
SELECT 'pln_1', pg_temp.at() - interval '35 seconds', min(start_at), 900, 96, 23, 'glop', 4100, 4100, 0, 0, false, 0.4, 'synthetic', 'synthetic',
       array_agg(greatest(4000, 52000 * sun * sun + 9000 * night) ORDER BY start_at),
       array_agg(9 + 11 * (1 - sun) + 4 * exp(-power((hour - 18.5) / 2, 2)) ORDER BY start_at), array_agg(60000 * sun ORDER BY start_at)
FROM (
    SELECT start_at, hour, greatest(0, sin(pi() * (hour - 6) / 12)) AS sun, CASE WHEN hour BETWEEN 1 AND 5 THEN 1 ELSE 0 END AS night
    FROM (SELECT start_at, extract(epoch FROM (start_at AT TIME ZONE 'Asia/Tokyo')::time) / 3600 AS hour
          FROM (SELECT date_bin('15 minutes', pg_temp.at(), '2000-01-01Z') + no * interval '15 minutes' AS start_at FROM generate_series(0, 95) no) steps) hours
) suns;
INSERT INTO plan_station (plan_id, station_id, energy_ac_wh, shortfall_wh, reason)
SELECT 'pln_1', station_id, array_fill(210.0::double precision, ARRAY[96]), 0,
       'Charging waits for cheap supply from 10:00; two packs charge now because three swaps are expected by 07:30.'
FROM station WHERE first_birth_at IS NOT NULL;

INSERT INTO meter_register (station_id, meter_id, point, epoch, boot, seq, ts, received_at, import_wh, export_wh, quality)
SELECT station_id, 'site', 'site', 1, 1, 100 + no, end_at, end_at, 1000000 + round(150 * no + 900 * sin(no / 9.0)), 0, 'measured'
FROM station CROSS JOIN (
    SELECT no, date_bin('5 minutes', pg_temp.at(), '2000-01-01Z') - (40 - no) * interval '5 minutes' AS end_at FROM generate_series(0, 40) no
) ends WHERE first_birth_at IS NOT NULL;
