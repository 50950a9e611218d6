-- What stations said: every message exactly once by (station, epoch, boot, seq); newest state apart from history.

-- One row per boot of a station: which seqs are settled (stored, refused, dropped by the station, given up).
-- committed = the upper end of the range that contains 1.
CREATE TABLE station_boot (
    station_id  text NOT NULL REFERENCES station,
    epoch       integer NOT NULL,
    boot        integer NOT NULL,
    settled     int8multirange NOT NULL DEFAULT '{}',
    stored      bigint NOT NULL DEFAULT 0,      -- messages kept in a table of their own
    refused     bigint NOT NULL DEFAULT 0,      -- settled by refusal (dead letter)
    dropped     bigint NOT NULL DEFAULT 0,      -- settled because the station said that it no longer holds them
    lost        bigint NOT NULL DEFAULT 0,      -- given up after three Replays
    duplicates  bigint NOT NULL DEFAULT 0,      -- arrived again
    gap_since   timestamptz,                    -- fleet instant since when a gap is open below the highest seq
    replays     smallint NOT NULL DEFAULT 0,    -- Replay commands sent for the gap that is open now
    asked       int8multirange NOT NULL DEFAULT '{}',  -- what the first of those Replays asked for; only this may be given up
    first_at    timestamptz NOT NULL,
    last_at     timestamptz NOT NULL,
    PRIMARY KEY (station_id, epoch, boot)
) WITH (fillfactor = 70);
CREATE INDEX station_boot_gaps ON station_boot (gap_since) WHERE gap_since IS NOT NULL;

-- One frame per telemetry message: element i of every array is one reading. soc_bp, soh_bp: 1/100 of a percent.
CREATE TABLE telemetry (
    station_id     text NOT NULL,
    epoch          integer NOT NULL,
    boot           integer NOT NULL,
    seq            bigint NOT NULL,
    ts_day         date NOT NULL,
    ts             timestamptz NOT NULL,
    received_at    timestamptz NOT NULL,
    slot_no        smallint[] NOT NULL,
    serial_number  text[] NOT NULL,
    soc_bp         smallint[] NOT NULL,
    soh_bp         smallint[] NOT NULL,
    charging_state smallint[] NOT NULL,   -- 0 unknown 1 idle 2 ev_connected 3 charging 4 suspended_ev 5 suspended_evse
    voltage_mv     integer[] NOT NULL,
    current_ma     integer[] NOT NULL,
    power_dw       integer[] NOT NULL,    -- 0.1 W
    temp_min_ddegc smallint[] NOT NULL,   -- 0.1 degC
    temp_max_ddegc smallint[] NOT NULL,
    cell_min_mv    smallint[] NOT NULL,
    cell_max_mv    smallint[] NOT NULL,
    energy_in_wh   bigint[] NOT NULL,
    energy_out_wh  bigint[] NOT NULL,
    more           jsonb,                 -- {slot_no: {field: value}} for the fields that have no column
    PRIMARY KEY (station_id, epoch, boot, seq, ts_day)
) PARTITION BY RANGE (ts_day);
-- Messages whose own clock lies outside [2020-01-01, 2100-01-01), and days whose partition is not made yet.
CREATE TABLE telemetry_undated PARTITION OF telemetry DEFAULT;

-- Makes the partition of one day, and moves into it what had to wait for it. True: it was made now.
CREATE FUNCTION make_telemetry_day(day date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    partition_name text := 'telemetry_' || to_char(day, 'YYYYMMDD');
BEGIN
    IF to_regclass(partition_name) IS NOT NULL THEN
        RETURN false;
    END IF;
    -- From here on nobody puts a row of this day into the default partition.
    LOCK TABLE telemetry_undated IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('CREATE TABLE %I (LIKE telemetry INCLUDING ALL)', partition_name);
    EXECUTE format('WITH moved AS (DELETE FROM telemetry_undated WHERE ts_day = %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
                   day, partition_name);
    EXECUTE format('ALTER TABLE telemetry ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition_name, day, day + 1);
    RETURN true;
END $$;

-- Drops the partitions of all days before this one and returns how many.
CREATE FUNCTION drop_telemetry_days(first_kept date) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    partition_name text;
    dropped integer := 0;
BEGIN
    FOR partition_name IN
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'telemetry'::regclass AND relname ~ '^telemetry_[0-9]{8}$'
          AND to_date(right(relname, 8), 'YYYYMMDD') < first_kept
    LOOP
        EXECUTE format('DROP TABLE %I', partition_name);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;

CREATE VIEW reading AS
SELECT f.station_id, f.epoch, f.boot, f.seq, f.ts, f.received_at, r.slot_no, r.serial_number,
       r.soc_bp / 10000.0 AS soc, r.soh_bp / 10000.0 AS soh, r.charging_state,
       r.voltage_mv / 1000.0 AS voltage_v, r.current_ma / 1000.0 AS current_a, r.power_dw / 10.0 AS power_dc_w,
       r.temp_min_ddegc / 10.0 AS temp_min_degc, r.temp_max_ddegc / 10.0 AS temp_max_degc,
       r.cell_min_mv, r.cell_max_mv, r.energy_in_wh, r.energy_out_wh, f.more -> r.slot_no::text AS more
FROM telemetry f
CROSS JOIN LATERAL unnest(f.slot_no, f.serial_number, f.soc_bp, f.soh_bp, f.charging_state, f.voltage_mv, f.current_ma,
    f.power_dw, f.temp_min_ddegc, f.temp_max_ddegc, f.cell_min_mv, f.cell_max_mv, f.energy_in_wh, f.energy_out_wh)
    AS r (slot_no, serial_number, soc_bp, soh_bp, charging_state, voltage_mv, current_ma, power_dw, temp_min_ddegc,
          temp_max_ddegc, cell_min_mv, cell_max_mv, energy_in_wh, energy_out_wh);

-- Latest state, one row per station, element i of every array is one slot; each slot keeps the key it comes from.
CREATE TABLE station_live (
    station_id      text PRIMARY KEY REFERENCES station,
    connected       boolean NOT NULL DEFAULT false,
    session_epoch   integer NOT NULL DEFAULT 0,
    session_boot    integer NOT NULL DEFAULT 0,
    session         bigint NOT NULL DEFAULT 0,
    connection_at   timestamptz,
    heard_at        timestamptz,            -- fleet instant at which the service last received anything
    birth_at        timestamptz,            -- received_at of the newest birth
    birth_epoch     integer NOT NULL DEFAULT 0,     -- its key: nothing older says anything about a slot
    birth_boot      integer NOT NULL DEFAULT 0,
    birth_seq       bigint NOT NULL DEFAULT 0,
    clock_source    text,
    clock_offset_ms double precision,
    slot_no         smallint[] NOT NULL DEFAULT '{}',
    serial_number   text[] NOT NULL DEFAULT '{}',   -- NULL element: empty slot
    soc             real[] NOT NULL DEFAULT '{}',
    soh             real[] NOT NULL DEFAULT '{}',
    charging_state  text[] NOT NULL DEFAULT '{}',
    power_dc_w      real[] NOT NULL DEFAULT '{}',
    temp_max_degc   real[] NOT NULL DEFAULT '{}',
    cell_spread_mv  smallint[] NOT NULL DEFAULT '{}',
    fault_count     smallint[] NOT NULL DEFAULT '{}',
    energy_in_wh    bigint[] NOT NULL DEFAULT '{}',
    reading_at      timestamptz[] NOT NULL DEFAULT '{}',  -- received_at of the reading
    epoch           integer[] NOT NULL DEFAULT '{}',
    boot            integer[] NOT NULL DEFAULT '{}',
    seq             bigint[] NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);

-- The newest reading of each slot, one row per slot that has one.
CREATE VIEW slot_reading AS
SELECT l.station_id, u.slot_no, u.serial_number, u.soc, u.soh, u.charging_state, u.power_dc_w, u.temp_max_degc,
       u.cell_spread_mv, u.fault_count, u.reading_at
FROM station_live l
CROSS JOIN LATERAL unnest(l.slot_no, l.serial_number, l.soc, l.soh, l.charging_state, l.power_dc_w, l.temp_max_degc,
    l.cell_spread_mv, l.fault_count, l.reading_at)
    AS u (slot_no, serial_number, soc, soh, charging_state, power_dc_w, temp_max_degc, cell_spread_mv, fault_count, reading_at);

-- Everything that is not telemetry, as a queue for the desk; taken with SKIP LOCKED, kept as the station's own log.
CREATE TABLE station_event (
    station_id  text NOT NULL,
    epoch       integer NOT NULL,
    boot        integer NOT NULL,
    seq         bigint NOT NULL,
    kind        text NOT NULL,          -- domain.observation kinds: birth slot lane authorize swap event ack
    ts          timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    body        jsonb NOT NULL,         -- domain.observation, in domain words
    handled_at  timestamptz,
    attempts    smallint NOT NULL DEFAULT 0,
    failure     text,
    PRIMARY KEY (station_id, epoch, boot, seq)
);
CREATE INDEX station_event_by_age ON station_event (received_at);
CREATE INDEX station_event_open ON station_event (station_id, epoch, boot, seq) WHERE handled_at IS NULL;

CREATE TABLE meter_register (
    station_id  text NOT NULL,
    meter_id    text NOT NULL,
    point       text NOT NULL,
    epoch       integer NOT NULL,
    boot        integer NOT NULL,
    seq         bigint NOT NULL,
    ts          timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    import_wh   bigint NOT NULL,
    export_wh   bigint NOT NULL,
    quality     text NOT NULL CHECK (quality IN ('measured', 'estimated')),
    PRIMARY KEY (station_id, epoch, boot, seq, meter_id)
);
CREATE INDEX meter_register_by_time ON meter_register (station_id, meter_id, ts);

-- What was refused, bounded by upkeep (newest kept); counted per reason without bound.
CREATE TABLE dead_letter (
    dead_letter_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic          text NOT NULL,
    body           bytea NOT NULL,      -- at most the first 4 KiB
    body_bytes     integer NOT NULL,
    reason         text NOT NULL,
    detail         text NOT NULL,
    received_at    timestamptz NOT NULL
);
CREATE TABLE refusal_count (
    reason text PRIMARY KEY,
    count  bigint NOT NULL
);
