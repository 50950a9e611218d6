-- Who and what exists: stations, pack models, packs, riders, vehicles. Instants are fleet time unless a comment says wall.

CREATE TABLE station (
    station_id      text PRIMARY KEY CHECK (station_id ~ '^[A-Za-z0-9_-]{1,48}$'),
    part            smallint NOT NULL CHECK (part BETWEEN 0 AND 63),
    name            text NOT NULL,
    latitude        double precision NOT NULL CHECK (latitude BETWEEN -90 AND 90),
    longitude       double precision NOT NULL CHECK (longitude BETWEEN -180 AND 180),
    lifecycle       text NOT NULL DEFAULT 'in_service'
                    CHECK (lifecycle IN ('planned', 'installed', 'commissioned', 'in_service', 'suspended',
                                         'maintenance', 'emergency', 'decommissioned')),
    registered_at   timestamptz NOT NULL,
    -- from the newest birth
    first_birth_at  timestamptz,
    vendor          text,
    model           text,
    firmware        text,
    swap_order      text NOT NULL DEFAULT 'In-Out' CHECK (swap_order IN ('In-Out', 'Out-In')),
    max_import_ac_w double precision,
    charger_efficiency double precision NOT NULL DEFAULT 0.92 CHECK (charger_efficiency > 0 AND charger_efficiency <= 1),
    schedule_id     text,
    birth_epoch     integer,
    birth_boot      integer,
    birth_seq       bigint,
    next_request_id bigint NOT NULL DEFAULT 1073741824 CHECK (next_request_id BETWEEN 1073741824 AND 2147483647)
);

CREATE TABLE station_credential (
    station_id    text PRIMARY KEY REFERENCES station,
    bcrypt        text NOT NULL,
    pbkdf2_sha512 text NOT NULL,
    issued_at     timestamptz NOT NULL
);

-- A slot as its station describes it; what is in it is pack.place.
CREATE TABLE slot (
    station_id       text NOT NULL REFERENCES station,
    slot_no          smallint NOT NULL CHECK (slot_no BETWEEN 1 AND 999),
    status           text NOT NULL CHECK (status IN ('empty', 'occupied', 'faulted', 'disabled')),
    accepts          text[] NOT NULL DEFAULT '{}',
    zone             text,
    max_charge_dc_w  double precision NOT NULL,
    quarantined      boolean NOT NULL DEFAULT false,
    epoch            integer NOT NULL,
    boot             integer NOT NULL,
    seq              bigint NOT NULL,
    PRIMARY KEY (station_id, slot_no)
);

CREATE TABLE pack_model (
    pack_model_id     text PRIMARY KEY CHECK (length(pack_model_id) BETWEEN 1 AND 40),
    nominal_wh        double precision NOT NULL CHECK (nominal_wh > 0),
    nominal_v         double precision NOT NULL CHECK (nominal_v > 0),
    max_charge_w      double precision NOT NULL CHECK (max_charge_w > 0),
    hand_out_soc      double precision NOT NULL DEFAULT 0.80 CHECK (hand_out_soc > 0 AND hand_out_soc <= 1),
    target_soc        double precision NOT NULL DEFAULT 1.0 CHECK (target_soc > 0 AND target_soc <= 1),
    max_hand_out_degc double precision NOT NULL DEFAULT 45,
    max_cell_spread_mv integer NOT NULL DEFAULT 150
);

CREATE TABLE rider (
    rider_id      text PRIMARY KEY CHECK (rider_id ~ '^[A-Za-z0-9_-]{1,64}$'),
    name          text NOT NULL,
    status        text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'blocked', 'left')),
    registered_at timestamptz NOT NULL
);

-- A vehicle (or machine, drone, boat, storage, home) and the recipe of its pack set.
CREATE TABLE asset (
    asset_id      text PRIMARY KEY CHECK (asset_id ~ '^[A-Za-z0-9_-]{1,64}$'),
    kind          text NOT NULL DEFAULT 'vehicle' CHECK (kind IN ('vehicle', 'machine', 'drone', 'boat', 'storage', 'home')),
    rider_id      text REFERENCES rider,
    pack_model_id text NOT NULL REFERENCES pack_model,
    pack_count    smallint NOT NULL CHECK (pack_count BETWEEN 1 AND 3),
    wiring        text NOT NULL CHECK (wiring IN ('series', 'parallel', 'independent')),
    registered_at timestamptz NOT NULL
);

-- A pack is in exactly one place; a slot holds at most one pack.
CREATE TABLE pack (
    serial_number text PRIMARY KEY CHECK (length(serial_number) BETWEEN 1 AND 50),
    pack_model_id text NOT NULL REFERENCES pack_model,
    place         text NOT NULL DEFAULT 'depot'
                  CHECK (place IN ('slot', 'asset', 'truck', 'depot', 'workshop', 'recycler', 'lost')),
    station_id    text,
    slot_no       smallint,
    asset_id      text REFERENCES asset,
    condition     text NOT NULL DEFAULT 'ok' CHECK (condition IN ('ok', 'quarantined', 'retired')),
    registered_at timestamptz NOT NULL,
    placed_at     timestamptz NOT NULL,
    FOREIGN KEY (station_id, slot_no) REFERENCES slot (station_id, slot_no),
    CHECK ((place = 'slot') = (station_id IS NOT NULL AND slot_no IS NOT NULL)),
    CHECK ((station_id IS NULL) = (slot_no IS NULL)),
    CHECK ((place = 'asset') = (asset_id IS NOT NULL))
);
CREATE UNIQUE INDEX pack_one_per_slot ON pack (station_id, slot_no) WHERE place = 'slot';
CREATE INDEX pack_by_asset ON pack (asset_id) WHERE place = 'asset';
