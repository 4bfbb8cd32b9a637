-- Messages that a rule could not store, with the reason and all that is needed to replay them.

CREATE TABLE iothub.dead_letter (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  message_id  uuid NOT NULL,
  received_at timestamptz NOT NULL,
  rule        text NOT NULL,
  action      text NOT NULL,
  reason      text NOT NULL,
  detail      text NOT NULL,
  sqlstate    text,
  topic       text NOT NULL,
  client_id   text NOT NULL,
  username    text,
  qos         smallint NOT NULL,
  retain      boolean NOT NULL,
  payload     bytea NOT NULL,
  attempts    integer NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dead_letter_rule ON iothub.dead_letter (rule, received_at);
COMMENT ON TABLE iothub.dead_letter IS 'Messages that a rule could not store; see iothub deadletter';
COMMENT ON COLUMN iothub.dead_letter.message_id IS 'The same for all dead letters of one message; sorts by time of receipt';
COMMENT ON COLUMN iothub.dead_letter.sqlstate IS 'Why the database refused the row; NULL when it never got that far';
COMMENT ON COLUMN iothub.dead_letter.attempts IS 'How often the row was sent to the database';
