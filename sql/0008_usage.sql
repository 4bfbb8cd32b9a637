-- Usage: what a hub's devices sent and got, for the bill of a hub that the control plane runs
-- (docs/instances.md). Only with a `meter` in the hub's configuration.

-- Booked in the transactions of the batches, so that what has been acknowledged has been counted.
-- Rows of its own for each shard, so that no batch waits for another shard's. A message
-- counts on the day on which it is booked: days are those of UTC+8, by which bills go.
CREATE TABLE iothub.usage (
  meter          text COLLATE "C" NOT NULL,
  day            date NOT NULL,
  shard          integer NOT NULL,
  half_kilobytes integer NOT NULL,
  messages       bigint NOT NULL,
  PRIMARY KEY (meter, day, shard, half_kilobytes)
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0);
COMMENT ON TABLE iothub.usage IS 'Messages from and to devices, by size, for the bill of a hub';
COMMENT ON COLUMN iothub.usage.half_kilobytes IS 'Of the payload, begun ones; 1 for an empty one';

-- Devices that connected or sent something on that day.
CREATE TABLE iothub.usage_device (
  meter  text COLLATE "C" NOT NULL,
  day    date NOT NULL,
  device text COLLATE "C" NOT NULL,
  PRIMARY KEY (meter, day, device)
);
COMMENT ON TABLE iothub.usage_device IS 'Client ids that were active on a day, for the bill of a hub';
