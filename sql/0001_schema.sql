-- The hub's own schema, and the list of what has been applied to it.

CREATE SCHEMA iothub;
COMMENT ON SCHEMA iothub IS 'What the MQTT hub needs for itself; device data lives in public';

CREATE TABLE iothub.migration (
  number     integer PRIMARY KEY,
  name       text NOT NULL,
  checksum   text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE iothub.migration IS 'One row for each file of sql/ that has been applied';
