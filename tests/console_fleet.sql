-- A fleet for the console's tests: 24 stations of 14 slots at the instant in the setting seed.now. No chance: hashes of names.
CREATE FUNCTION pg_temp.at() RETURNS timestamptz LANGUAGE sql AS $$ SELECT current_setting('seed.now')::timestamptz $$;
CREATE FUNCTION pg_temp.share(name text) RETURNS double precision LANGUAGE sql IMMUTABLE AS
    $$ SELECT (abs(hashtext(name)::bigint) % 1000) / 1000.0 $$;

INSERT INTO pack_model (pack_model_id, nominal_wh, nominal_v, max_charge_w) VALUES ('kei-48', 1300, 50.4, 700);

CREATE FUNCTION pg_temp.midnight() RETURNS timestamptz LANGUAGE sql AS
    $$ SELECT date_trunc('day', pg_temp.at() AT TIME ZONE 'Asia/Tokyo') AT TIME ZONE 'Asia/Tokyo' $$;
-- Hour of the day in Japan, and the sun that stands then, 0..1.
CREATE FUNCTION pg_temp.hour(instant timestamptz) RETURNS double precision LANGUAGE sql AS
    $$ SELECT extract(epoch FROM (instant AT TIME ZONE 'Asia/Tokyo')::time) / 3600 $$;
CREATE FUNCTION pg_temp.sun(instant timestamptz) RETURNS double precision LANGUAGE sql AS
    $$ SELECT greatest(0, sin(pi() * (pg_temp.hour(instant) - 6) / 12)) $$;
-- What the fleet draws [W]: much under the sun, some in the small hours.
CREATE FUNCTION pg_temp.fleet_w(instant timestamptz) RETURNS double precision LANGUAGE sql AS
    $$ SELECT greatest(4000, 52000 * pg_temp.sun(instant) ^ 2 + CASE WHEN pg_temp.hour(instant) BETWEEN 1 AND 5 THEN 9000 ELSE 0 END) $$;

INSERT INTO station (station_id, part, name, latitude, longitude, registered_at, first_birth_at, max_import_ac_w)
SELECT 'st-' || lpad(no::text, 3, '0'), no % 64, name, latitude, longitude,
       pg_temp.at() - interval '90 days', CASE WHEN no < 24 THEN pg_temp.at() - interval '80 days' END, 9000
FROM ROWS FROM (
    unnest(ARRAY['Hakata Eki', 'Tenjin Kita', 'Ohori Koen', 'Yakuin', 'Nakasu', 'Momochi', 'Nishijin', 'Meinohama', 'Kashii', 'Hakozaki',
        'Ropponmatsu', 'Gion', 'Chikushi', 'Dazaifu', 'Kokura', 'Moji', 'Yahata', 'Tobata', 'Kurume', 'Tosu', 'Saga', 'Karatsu', 'Itoshima',
        'Munakata']),
    unnest(ARRAY[33.590, 33.594, 33.587, 33.582, 33.593, 33.592, 33.584, 33.583, 33.659, 33.617, 33.577, 33.593, 33.487, 33.513, 33.887,
        33.945, 33.868, 33.897, 33.320, 33.370, 33.264, 33.445, 33.557, 33.809]),
    unnest(ARRAY[130.421, 130.399, 130.377, 130.402, 130.406, 130.352, 130.358, 130.325, 130.444, 130.425, 130.378, 130.413, 130.535,
        130.524, 130.883, 130.962, 130.797, 130.822, 130.502, 130.523, 130.297, 129.969, 130.199, 130.562])
) WITH ORDINALITY AS named (name, latitude, longitude, no);

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
SELECT station_id, station_id <> 'st-007', 1, pg_temp.at() - CASE WHEN station_id = 'st-007' THEN interval '24 minutes' ELSE interval '2 hours' END,
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
       CASE status WHEN 'rejected' THEN (ARRAY['Busy', 'DoorBlocked', 'UnknownPack'])[1 + no % 3] WHEN 'unresolved' THEN 'no_answer' END, 2,
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

-- Three days of made-up signals, known a day ahead; what was cut off today, known ten minutes later.
INSERT INTO signal (series, place_kind, place, start_at, period_s, value, known_at, source)
SELECT series, 'area', 'kyushu', start_at, 1800, round(value::numeric, 2), pg_temp.midnight() - interval '2 days', 'synthetic'
FROM (SELECT pg_temp.midnight() + no * interval '30 minutes' AS start_at FROM generate_series(-48, 95) no) halves
CROSS JOIN LATERAL (VALUES
    ('price_jpy_per_kwh', 9 + 9 * (1 - pg_temp.sun(start_at)) + 6 * exp(-power((pg_temp.hour(start_at) - 18.5) / 2, 2))),
    ('solar_w', 8.4e9 * pg_temp.sun(start_at) ^ 1.3 * CASE WHEN pg_temp.hour(start_at) BETWEEN 10 AND 13.5 THEN 0.86 ELSE 1 END),
    ('wind_w', 3.5e8 + 1.5e8 * cos(pg_temp.hour(start_at) / 3))) made (series, value);
INSERT INTO signal (series, place_kind, place, start_at, period_s, value, known_at, source)
SELECT 'solar_curtailed_w', 'area', 'kyushu', start_at, 1800,
       CASE WHEN pg_temp.hour(start_at) BETWEEN 10 AND 13.5 THEN 0.14 * 8.4e9 * pg_temp.sun(start_at) ^ 1.3 ELSE 0 END,
       start_at + interval '40 minutes', 'synthetic'
FROM generate_series(pg_temp.midnight(), pg_temp.midnight() + interval '23 hours 30 minutes', interval '30 minutes') start_at;

INSERT INTO plan (plan_id, made_at, start_at, step_s, step_count, station_count, engine, objective_jpy, bound_jpy, gap, shortfall_wh, truncated, solve_s,
    price_source, supply_source, fleet_ac_w, price_jpy_per_kwh, renewable_w)
SELECT 'pln_1', pg_temp.at() - interval '35 seconds', min(start_at), 900, 96, 23, 'glop', 4100, 4100, 0, 3400, false, 0.4, 'synthetic', 'synthetic',
       array_agg(pg_temp.fleet_w(start_at) ORDER BY start_at),
       array_agg(9 + 9 * (1 - pg_temp.sun(start_at)) + 6 * exp(-power((pg_temp.hour(start_at) - 18.5) / 2, 2)) ORDER BY start_at),
       array_agg(38000 * pg_temp.sun(start_at) ORDER BY start_at)
FROM (SELECT date_bin('15 minutes', pg_temp.at(), '2000-01-01Z') + no * interval '15 minutes' AS start_at FROM generate_series(0, 95) no) steps;
INSERT INTO plan_station (plan_id, station_id, energy_ac_wh, shortfall_wh, reason)
SELECT 'pln_1', station_id, array_fill(210.0::double precision, ARRAY[96]),
       CASE station_id WHEN 'st-012' THEN 2600 WHEN 'st-019' THEN 800 ELSE 0 END,
       'Charging waits for cheap supply from 10:00; two packs charge now because three swaps are expected by 07:30.'
FROM station WHERE first_birth_at IS NOT NULL;

-- Site meters since the local midnight, and at least three hours: registers are sums of what was drawn.
INSERT INTO meter_register (station_id, meter_id, point, epoch, boot, seq, ts, received_at, import_wh, export_wh, quality)
SELECT station_id, 'site', 'site', 1, 1, row_number() OVER site, ts, ts,
       round(1000000 + sum(pg_temp.fleet_w(ts) / 23 / 12 * (0.5 + pg_temp.share(station_id || 'm')) * (0.6 + 0.8 * pg_temp.share(station_id || extract(epoch FROM ts)))) OVER site),
       0, 'measured'
FROM station CROSS JOIN generate_series(
    least(pg_temp.midnight(), date_bin('5 minutes', pg_temp.at(), '2000-01-01Z') - interval '200 minutes'), pg_temp.at(), interval '5 minutes') ts
WHERE first_birth_at IS NOT NULL
WINDOW site AS (PARTITION BY station_id ORDER BY ts);

INSERT INTO dead_letter (topic, body, body_bytes, reason, detail, received_at)
SELECT 'denchi/v1/up/st-016/telemetry', '{}', 2, 'schema', 'soC: Input should be less than or equal to 100', pg_temp.at() - no * interval '7 minutes'
FROM generate_series(1, 3) no;
