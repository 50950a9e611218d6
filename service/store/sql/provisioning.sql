-- Stations and their credentials, as provisioning writes them.

-- name: insert_station$
INSERT INTO station (station_id, part, name, latitude, longitude, registered_at)
VALUES (:station_id, :part, :name, :latitude, :longitude, :now)
ON CONFLICT (station_id) DO NOTHING
RETURNING station_id;

-- name: set_credential$
INSERT INTO station_credential (station_id, bcrypt, pbkdf2_sha512, issued_at)
SELECT s.station_id, :bcrypt, :pbkdf2_sha512, :now FROM station s WHERE s.station_id = :station_id
ON CONFLICT (station_id) DO UPDATE SET bcrypt = excluded.bcrypt, pbkdf2_sha512 = excluded.pbkdf2_sha512, issued_at = excluded.issued_at
RETURNING station_id;

-- name: list_credentials
SELECT c.station_id, c.bcrypt, c.pbkdf2_sha512
FROM station_credential c JOIN station s USING (station_id)
WHERE s.lifecycle <> 'decommissioned'
ORDER BY c.station_id;

-- name: list_stations
SELECT s.station_id, s.name, s.latitude, s.longitude, s.lifecycle, s.registered_at, c.issued_at, l.connected, l.heard_at
FROM station s
LEFT JOIN station_credential c USING (station_id)
LEFT JOIN station_live l USING (station_id)
ORDER BY s.station_id;
