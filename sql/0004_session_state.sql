-- The durable part of MQTT sessions. It commits together with the rows of the messages that
-- changed it, which makes QoS 2 exactly once.

CREATE TABLE iothub.session_state (
  client_id text COLLATE "C" PRIMARY KEY,
  state     bytea NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE iothub.session_state ALTER COLUMN state SET STORAGE EXTERNAL;
COMMENT ON TABLE iothub.session_state IS 'What must survive of each session; the bytes are the hub''s own';
