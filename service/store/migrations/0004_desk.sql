-- Promises and what became of them. Each promise is a row with a constraint behind it.

CREATE TABLE reservation (
    reservation_id     text PRIMARY KEY,
    rider_id           text NOT NULL REFERENCES rider,
    asset_id           text NOT NULL REFERENCES asset,
    station_id         text NOT NULL REFERENCES station,
    status             text NOT NULL CHECK (status IN ('pending', 'reserved', 'rejected', 'expired', 'fulfilled', 'cancelled', 'no_show')),
    pack_count         smallint NOT NULL CHECK (pack_count BETWEEN 1 AND 3),
    promised_usable_wh double precision NOT NULL CHECK (promised_usable_wh >= 0),
    price_micro        bigint NOT NULL CHECK (price_micro >= 0),
    currency           text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    reason             text NOT NULL,               -- why these packs, in one sentence
    created_at         timestamptz NOT NULL,
    arrive_from        timestamptz NOT NULL,
    expires_at         timestamptz NOT NULL,
    ended_at           timestamptz,
    CHECK (expires_at > created_at)
);
CREATE UNIQUE INDEX reservation_one_live_per_asset ON reservation (asset_id) WHERE status IN ('pending', 'reserved');
CREATE INDEX reservation_live ON reservation (expires_at) WHERE status IN ('pending', 'reserved');
CREATE INDEX reservation_by_rider ON reservation (rider_id, created_at, reservation_id);

CREATE TABLE swap (
    swap_id            text PRIMARY KEY,
    reservation_id     text REFERENCES reservation,
    rider_id           text NOT NULL REFERENCES rider,
    asset_id           text NOT NULL REFERENCES asset,
    station_id         text NOT NULL REFERENCES station,
    request_id         bigint NOT NULL,
    token              text NOT NULL,               -- what the station echoes as idToken
    swap_order         text NOT NULL CHECK (swap_order IN ('In-Out', 'Out-In')),
    status             text NOT NULL CHECK (status IN ('requested', 'authorised', 'half_in', 'half_out', 'completed', 'settled',
                                                       'rejected', 'expired', 'cancelled', 'orphan_in', 'orphan_out', 'unresolved', 'exception')),
    status_reason      text,
    pack_count         smallint NOT NULL CHECK (pack_count BETWEEN 1 AND 3),
    packs_in           smallint NOT NULL DEFAULT 0 CHECK (packs_in BETWEEN 0 AND 3),
    packs_out          smallint NOT NULL DEFAULT 0 CHECK (packs_out BETWEEN 0 AND 3),
    promised_usable_wh double precision NOT NULL,
    price_micro        bigint NOT NULL,
    currency           text NOT NULL,
    created_at         timestamptz NOT NULL,
    deadline_at        timestamptz NOT NULL,        -- of the present status; timers look here
    ended_at           timestamptz,
    UNIQUE (station_id, request_id),
    CHECK (status NOT IN ('completed', 'settled') OR (packs_in = pack_count AND packs_out = pack_count))
);
CREATE UNIQUE INDEX swap_one_live_per_asset ON swap (asset_id)
    WHERE status IN ('requested', 'authorised', 'half_in', 'half_out', 'unresolved');
CREATE INDEX swap_timers ON swap (deadline_at) WHERE status IN ('requested', 'authorised', 'half_in', 'half_out', 'unresolved', 'orphan_in', 'orphan_out');
CREATE INDEX swap_by_rider ON swap (rider_id, created_at, swap_id);
CREATE INDEX swap_by_station ON swap (station_id, created_at);
CREATE INDEX swap_by_time ON swap (created_at);

CREATE TABLE swap_pack (
    swap_id       text NOT NULL REFERENCES swap,
    direction     text NOT NULL CHECK (direction IN ('in', 'out')),
    serial_number text NOT NULL,
    slot_no       smallint NOT NULL,
    soc           double precision NOT NULL,
    soh           double precision NOT NULL,
    usable_wh     double precision,
    moved_at      timestamptz NOT NULL,
    PRIMARY KEY (swap_id, direction, serial_number)
);

-- A pack and a slot have at most one live hold; a hold belongs to a reservation, then to its swap.
CREATE TABLE pack_hold (
    pack_hold_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    serial_number  text NOT NULL REFERENCES pack,
    reservation_id text REFERENCES reservation,
    swap_id        text REFERENCES swap,
    held_at        timestamptz NOT NULL,
    released_at    timestamptz,
    CHECK (num_nonnulls(reservation_id, swap_id) = 1)
);
CREATE UNIQUE INDEX pack_hold_one_live ON pack_hold (serial_number) WHERE released_at IS NULL;
CREATE TABLE slot_hold (
    slot_hold_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    station_id     text NOT NULL,
    slot_no        smallint NOT NULL,
    reservation_id text REFERENCES reservation,
    swap_id        text REFERENCES swap,
    held_at        timestamptz NOT NULL,
    released_at    timestamptz,
    FOREIGN KEY (station_id, slot_no) REFERENCES slot,
    CHECK (num_nonnulls(reservation_id, swap_id) = 1)
);
CREATE UNIQUE INDEX slot_hold_one_live ON slot_hold (station_id, slot_no) WHERE released_at IS NULL;
CREATE INDEX pack_hold_live_by_owner ON pack_hold (coalesce(swap_id, reservation_id)) WHERE released_at IS NULL;
CREATE INDEX slot_hold_live_by_owner ON slot_hold (coalesce(swap_id, reservation_id)) WHERE released_at IS NULL;

-- Packs in = packs out, or an open debt with owner, value and age (one row per pack).
CREATE TABLE debt (
    debt_id     text PRIMARY KEY,
    swap_id     text NOT NULL REFERENCES swap,
    owed_by     text NOT NULL CHECK (owed_by IN ('rider', 'operator')),
    rider_id    text NOT NULL REFERENCES rider,
    serial_number text,
    value_micro bigint NOT NULL CHECK (value_micro >= 0),
    currency    text NOT NULL,
    reason      text NOT NULL,
    opened_at   timestamptz NOT NULL,
    due_at      timestamptz NOT NULL,
    closed_at   timestamptz,
    closed_reason text
);
CREATE INDEX debt_open ON debt (rider_id) WHERE closed_at IS NULL;

CREATE TABLE anomaly (
    anomaly_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind          text NOT NULL,
    station_id    text,
    serial_number text,
    swap_id       text,
    detail        jsonb NOT NULL DEFAULT '{}',
    seen_at       timestamptz NOT NULL,
    closed_at     timestamptz
);
CREATE INDEX anomaly_by_time ON anomaly (seen_at);
CREATE INDEX anomaly_open_by_station ON anomaly (station_id) WHERE closed_at IS NULL;
CREATE INDEX anomaly_open ON anomaly (kind, station_id, serial_number) WHERE closed_at IS NULL;

-- What the desk did, append-only: the current state can be rebuilt from it. Readers stay below the oldest running transaction.
CREATE TABLE desk_event (
    desk_event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid           xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at            timestamptz NOT NULL,
    kind          text NOT NULL,
    station_id    text,
    reservation_id text,
    swap_id       text,
    serial_number text,
    body          jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX desk_event_by_xid ON desk_event (xid, desk_event_id);
CREATE INDEX desk_event_by_pack ON desk_event (serial_number, desk_event_id) WHERE kind = 'pack_placed';
CREATE INDEX desk_event_by_reservation ON desk_event (reservation_id, desk_event_id) WHERE reservation_id IS NOT NULL;
CREATE INDEX desk_event_by_swap ON desk_event (swap_id, desk_event_id) WHERE swap_id IS NOT NULL;
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE TRIGGER desk_event_append_only BEFORE UPDATE OR DELETE ON desk_event FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Answers already given, by caller and key: the same POST twice has one effect and one answer. Instants here are wall time.
CREATE TABLE idempotency (
    caller          text NOT NULL,
    idempotency_key text NOT NULL,
    fingerprint     bytea NOT NULL,
    status_code     smallint,
    headers         jsonb,
    body            bytea,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (caller, idempotency_key)
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);
