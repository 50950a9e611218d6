-- The outbox: everything that goes down to a station but `committed`.

CREATE TABLE command (
    command_id   text PRIMARY KEY CHECK (length(command_id) BETWEEN 1 AND 50),
    station_id   text NOT NULL REFERENCES station,
    name         text NOT NULL,                 -- domain.command order kinds
    body         jsonb NOT NULL,                -- domain.command order, in domain words
    issued_at    timestamptz NOT NULL,
    valid_until  timestamptz NOT NULL,
    swap_id      text,
    status       text NOT NULL DEFAULT 'queued'
                 CHECK (status IN ('queued', 'sent', 'acknowledged', 'expired', 'withdrawn')),
    sent_at      timestamptz,
    sends        smallint NOT NULL DEFAULT 0,
    acked_at     timestamptz,
    answer       text CHECK (answer IN ('accepted', 'rejected', 'completed', 'failed')),
    reason_code  text,
    CHECK (valid_until > issued_at)
);
CREATE INDEX command_open ON command (station_id, issued_at) WHERE status IN ('queued', 'sent');
-- What belongs to no swap is forgotten in time.
CREATE INDEX command_by_age ON command (issued_at) WHERE swap_id IS NULL;
CREATE INDEX command_by_swap ON command (swap_id) WHERE swap_id IS NOT NULL;
-- The newest schedule of a station, whatever became of it.
CREATE INDEX command_schedules ON command (station_id, issued_at) WHERE name = 'set_schedule';
