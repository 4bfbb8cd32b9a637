-- The table of examples/climate/rules.toml.
CREATE TABLE climate (
    device      text        NOT NULL,
    ts          timestamptz NOT NULL,
    temperature double precision,
    humidity    double precision
);

CREATE INDEX climate_device_ts ON climate (device, ts);
