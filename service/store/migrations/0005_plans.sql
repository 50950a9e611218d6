-- What the allocation engine decided, and the signals it decided on.

-- One value per step of a series. known_at = the fleet instant from which a decision may read it.
CREATE TABLE signal (
    series     text NOT NULL CHECK (series IN ('price_jpy_per_kwh', 'pv_w', 'emission_g_per_kwh')),
    area       text NOT NULL,
    start_at   timestamptz NOT NULL,
    period_s   integer NOT NULL CHECK (period_s > 0),
    value      double precision NOT NULL,
    known_at   timestamptz NOT NULL,
    source     text NOT NULL,                   -- 'synthetic' is shown wherever the value is
    PRIMARY KEY (series, area, start_at, known_at)
);

CREATE TABLE plan (
    plan_id        text PRIMARY KEY,
    made_at        timestamptz NOT NULL,
    start_at       timestamptz NOT NULL,        -- begin of step 0
    step_s         integer NOT NULL,
    step_count     integer NOT NULL,
    station_count  integer NOT NULL,
    engine         text NOT NULL,               -- which solver made it: 'glop' or 'greedy'
    coupled_by     text[] NOT NULL DEFAULT '{}',
    objective_jpy  double precision NOT NULL,
    bound_jpy      double precision,
    gap            double precision,
    shortfall_wh   double precision NOT NULL,
    truncated      boolean NOT NULL,
    solve_s        double precision NOT NULL,   -- wall seconds
    price_source   text NOT NULL,
    fleet_ac_w     double precision[] NOT NULL, -- mean power per step, whole fleet
    price_jpy_per_kwh double precision[] NOT NULL,
    renewable_w    double precision[] NOT NULL
);
CREATE INDEX plan_by_time ON plan (made_at);

CREATE TABLE plan_station (
    plan_id      text NOT NULL REFERENCES plan ON DELETE CASCADE,
    station_id   text NOT NULL REFERENCES station,
    energy_ac_wh double precision[] NOT NULL,   -- per step
    shortfall_wh double precision NOT NULL,
    reason       text NOT NULL,                 -- what binds, in one sentence
    PRIMARY KEY (plan_id, station_id)
);

-- The newest schedule of a station, whatever became of it.
CREATE INDEX command_last_schedule ON command (station_id, issued_at DESC) WHERE name = 'set_schedule';
CREATE INDEX swap_pack_by_time ON swap_pack (moved_at);
