-- A nation's fleet for measurements: 12 500 stations of 30 slots (or as many stations as the setting seed.stations says) at the
-- instant in the setting seed.now. No chance: hashes of names. Stations lie around the prefectures' capitals, roughly on land.
CREATE FUNCTION pg_temp.at() RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT current_setting('seed.now')::timestamptz $$;
CREATE FUNCTION pg_temp.share(name text) RETURNS double precision LANGUAGE sql IMMUTABLE AS
    $$ SELECT (abs(hashtext(name)::bigint) % 1000) / 1000.0 $$;

INSERT INTO pack_model (pack_model_id, nominal_wh, nominal_v, max_charge_w) VALUES ('kei-48', 1300, 50.4, 700);

-- Town, longitude, latitude, stations in a thousand (guess: by population), half the width of its surroundings [deg].
CREATE TEMP TABLE town AS SELECT *, sum(weight) OVER (ORDER BY name) - weight AS begins, sum(weight) OVER (ORDER BY name) AS ends FROM (VALUES
    ('Sapporo', 141.35, 43.05, 30, 0.20), ('Asahikawa', 142.37, 43.77, 8, 0.25), ('Obihiro', 143.20, 42.92, 5, 0.25), ('Aomori', 140.74, 40.75, 8, 0.08),
    ('Morioka', 141.15, 39.70, 8, 0.20), ('Sendai', 140.80, 38.27, 20, 0.15), ('Akita', 140.25, 39.70, 7, 0.10), ('Yamagata', 140.33, 38.25, 8, 0.18),
    ('Koriyama', 140.37, 37.40, 13, 0.25), ('Mito', 140.35, 36.30, 22, 0.18), ('Utsunomiya', 139.88, 36.55, 16, 0.20), ('Maebashi', 139.06, 36.39, 16, 0.15),
    ('Saitama', 139.55, 35.92, 65, 0.25), ('Chiba', 140.15, 35.75, 50, 0.15), ('Tokyo', 139.60, 35.69, 115, 0.15), ('Yokohama', 139.48, 35.45, 75, 0.12),
    ('Niigata', 139.00, 37.75, 16, 0.10), ('Toyama', 137.21, 36.62, 8, 0.10), ('Kanazawa', 136.66, 36.50, 9, 0.08), ('Fukui', 136.25, 35.98, 6, 0.10),
    ('Kofu', 138.57, 35.66, 6, 0.12), ('Nagano', 138.15, 36.45, 16, 0.30), ('Gifu', 136.76, 35.45, 16, 0.15), ('Shizuoka', 138.30, 35.02, 28, 0.12),
    ('Nagoya', 137.00, 35.12, 62, 0.15), ('Tsu', 136.45, 34.72, 14, 0.12), ('Otsu', 136.05, 35.05, 11, 0.12), ('Kyoto', 135.72, 35.00, 20, 0.12),
    ('Osaka', 135.55, 34.65, 72, 0.12), ('Kobe', 134.95, 34.85, 43, 0.15), ('Nara', 135.80, 34.55, 10, 0.10), ('Wakayama', 135.30, 34.15, 7, 0.08),
    ('Tottori', 134.20, 35.45, 4, 0.06), ('Matsue', 132.95, 35.40, 5, 0.06), ('Okayama', 133.85, 34.75, 15, 0.15), ('Hiroshima', 132.50, 34.50, 22, 0.12),
    ('Yamaguchi', 131.45, 34.18, 10, 0.12), ('Tokushima', 134.40, 34.05, 6, 0.10), ('Takamatsu', 134.00, 34.22, 8, 0.10), ('Matsuyama', 132.80, 33.80, 10, 0.08),
    ('Kochi', 133.53, 33.60, 5, 0.06), ('Fukuoka', 130.50, 33.55, 41, 0.12), ('Saga', 130.25, 33.30, 6, 0.08), ('Nagasaki', 129.95, 32.88, 8, 0.06),
    ('Kumamoto', 130.75, 32.80, 14, 0.10), ('Oita', 131.55, 33.20, 9, 0.08), ('Miyazaki', 131.35, 31.95, 8, 0.08), ('Kagoshima', 130.55, 31.65, 12, 0.06),
    ('Naha', 127.72, 26.25, 11, 0.04)
) listed (name, longitude, latitude, weight, half_width);

INSERT INTO station (station_id, part, name, latitude, longitude, registered_at, first_birth_at, max_import_ac_w)
SELECT 'st-' || lpad(no::text, 5, '0'), no % 64, t.name || ' ' || no,
       -- A sum of shares is denser in the middle.
       t.latitude + t.half_width * (pg_temp.share('a' || no) + pg_temp.share('b' || no) - 1),
       t.longitude + 1.2 * t.half_width * (pg_temp.share('c' || no) + pg_temp.share('d' || no) - 1),
       pg_temp.at() - interval '90 days', pg_temp.at() - interval '80 days', 22000
FROM generate_series(1, coalesce(nullif(current_setting('seed.stations', true), '')::int, 12500)) no
JOIN town t ON no * 7919 % (SELECT max(ends) FROM town) >= t.begins AND no * 7919 % (SELECT max(ends) FROM town) < t.ends;

INSERT INTO slot (station_id, slot_no, status, accepts, max_charge_dc_w, epoch, boot, seq)
SELECT station_id, no,
       CASE WHEN no = 30 AND pg_temp.share(station_id || 'fault') < 0.01 THEN 'faulted'
            WHEN no = 30 OR (no > 24 AND pg_temp.share(station_id || no) < 0.4) THEN 'empty' ELSE 'occupied' END,
       ARRAY['kei-48'], 700, 1, 1, 1
FROM station CROSS JOIN generate_series(1, 30) no;

INSERT INTO pack (serial_number, pack_model_id, place, station_id, slot_no, registered_at, placed_at)
SELECT 'KN' || substr(station_id, 4) || lpad(slot_no::text, 2, '0'), 'kei-48', 'slot', station_id, slot_no,
       pg_temp.at() - interval '80 days', pg_temp.at() - interval '1 day'
FROM slot WHERE status = 'occupied';

-- Each station has its own level, so that some have few ready packs and some none.
INSERT INTO station_live (station_id, connected, session, connection_at, heard_at, slot_no, serial_number, soc, soh, charging_state,
    power_dc_w, temp_max_degc, cell_spread_mv, fault_count, energy_in_wh, reading_at, epoch, boot, seq)
SELECT station_id, NOT away, 1, pg_temp.at() - interval '2 hours', pg_temp.at() - CASE WHEN away THEN interval '25 minutes' ELSE interval '9 seconds' END,
       array_agg(slot_no ORDER BY slot_no), array_agg(serial ORDER BY slot_no), array_agg(soc ORDER BY slot_no),
       array_agg((0.9 + 0.1 * chance)::real ORDER BY slot_no),
       array_agg(CASE WHEN serial IS NULL THEN NULL WHEN soc < 0.93 AND charges THEN 'charging' ELSE 'idle' END ORDER BY slot_no),
       array_agg(CASE WHEN serial IS NULL THEN NULL WHEN soc < 0.93 AND charges THEN 350 + 300 * chance ELSE 0 END::real ORDER BY slot_no),
       array_agg((24 + 12 * chance)::real ORDER BY slot_no), array_agg((8 + 30 * chance)::smallint ORDER BY slot_no),
       array_agg(0::smallint ORDER BY slot_no), array_agg(90000::bigint ORDER BY slot_no),
       array_agg(pg_temp.at() - CASE WHEN away THEN interval '26 minutes' ELSE interval '40 seconds' END ORDER BY slot_no),
       array_agg(1 ORDER BY slot_no), array_agg(1 ORDER BY slot_no), array_agg(7::bigint ORDER BY slot_no)
FROM (
    SELECT sl.station_id, sl.slot_no, p.serial_number AS serial, pg_temp.share(sl.station_id || '-' || sl.slot_no) AS chance,
           pg_temp.share(sl.station_id || 'away') < 0.01 AS away,
           pg_temp.share(sl.station_id || 'sun') < 0.4 AND pg_temp.share(sl.station_id || '-' || sl.slot_no || 'c') < 0.5 AS charges,
           CASE WHEN p.serial_number IS NOT NULL
                THEN least(1, 0.2 + pg_temp.share(sl.station_id || 'level') * 0.7 + 0.4 * pg_temp.share(sl.station_id || sl.slot_no || 'soc'))::real END AS soc
    FROM slot sl LEFT JOIN pack p USING (station_id, slot_no)
) reading
GROUP BY station_id, away;

INSERT INTO plan (plan_id, made_at, start_at, step_s, step_count, station_count, engine, objective_jpy, bound_jpy, gap, shortfall_wh, truncated, solve_s,
    price_source, supply_source, fleet_ac_w, price_jpy_per_kwh, renewable_w)
SELECT 'pln_nation', pg_temp.at() - interval '35 seconds', date_bin('15 minutes', pg_temp.at(), '2000-01-01Z'), 900, 96, (SELECT count(*) FROM station), 'glop',
       4100, 4100, 0, 0, false, 20, 'synthetic', 'synthetic',
       array_agg(15e6 + 10e6 * sin(no / 15.0)), array_agg(12 + 5 * cos(no / 15.0)), array_agg(greatest(0, 30e6 * sin(no / 15.0)))
FROM generate_series(0, 95) no;
INSERT INTO plan_station (plan_id, station_id, energy_ac_wh, shortfall_wh, reason)
SELECT 'pln_nation', station_id, array_fill(300.0::double precision, ARRAY[96]), 0, 'Charging waits for cheap supply from 10:00.' FROM station;
ANALYZE;
