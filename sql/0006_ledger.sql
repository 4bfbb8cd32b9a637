-- The ledger: what became of the messages that each rule got. docs/ledger.md defines the columns.

-- What one writer has booked for one rule, in the transactions of its batches: exact at any instant.
-- A row of its own for each writer, so that no batch waits for another shard's. Rows of writers
-- that are gone are added up under hub 0, shard 0.
CREATE TABLE iothub.ledger (
  rule              text COLLATE "C" NOT NULL,
  hub               uuid NOT NULL,
  shard             integer NOT NULL,
  received          bigint NOT NULL,
  committed         bigint NOT NULL,
  filtered          bigint NOT NULL,
  dead_lettered     bigint NOT NULL,
  nothing_to_store  bigint NOT NULL,
  shed_storage_full bigint NOT NULL,
  rows              bigint NOT NULL,
  duplicates        bigint NOT NULL,
  PRIMARY KEY (rule, hub, shard)
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0);
COMMENT ON TABLE iothub.ledger IS 'What became of the messages that each rule got; see iothub ledger';
COMMENT ON COLUMN iothub.ledger.rows IS 'New rows; a message of a rule with several dump actions has several';
COMMENT ON COLUMN iothub.ledger.duplicates IS 'Rows that were absorbed, as their key was there';

-- Adds to a writer's rows. counts: eight numbers for each rule, in the table's order.
CREATE FUNCTION iothub.add_to_ledger(
  writer_hub uuid, writer_shard integer, rules text[], counts bigint[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO iothub.ledger AS l (
    rule, hub, shard, received, committed, filtered, dead_lettered, nothing_to_store,
    shed_storage_full, rows, duplicates)
  SELECT rules[i], writer_hub, writer_shard,
         counts[8 * i - 7], counts[8 * i - 6], counts[8 * i - 5], counts[8 * i - 4],
         counts[8 * i - 3], counts[8 * i - 2], counts[8 * i - 1], counts[8 * i]
  FROM generate_subscripts(rules, 1) AS i
  ON CONFLICT (rule, hub, shard) DO UPDATE SET
    received = l.received + excluded.received,
    committed = l.committed + excluded.committed,
    filtered = l.filtered + excluded.filtered,
    dead_lettered = l.dead_lettered + excluded.dead_lettered,
    nothing_to_store = l.nothing_to_store + excluded.nothing_to_store,
    shed_storage_full = l.shed_storage_full + excluded.shed_storage_full,
    rows = l.rows + excluded.rows,
    duplicates = l.duplicates + excluded.duplicates;
END
$$;

-- The same for each device of each rule, booked every few seconds.
CREATE TABLE iothub.device_ledger (
  rule              text COLLATE "C" NOT NULL,
  device            text COLLATE "C" NOT NULL,
  received          bigint NOT NULL,
  committed         bigint NOT NULL,
  filtered          bigint NOT NULL,
  dead_lettered     bigint NOT NULL,
  nothing_to_store  bigint NOT NULL,
  shed_storage_full bigint NOT NULL,
  PRIMARY KEY (rule, device)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE iothub.device_ledger IS 'What became of the messages of each device for each rule; see iothub ledger --device';
COMMENT ON COLUMN iothub.device_ledger.device IS 'Client id; empty for messages that rules published and for devices beyond the hub''s bound';

-- Which sequence numbers of a device have arrived, for rules that name a sequence.
CREATE TABLE iothub.device_sequence (
  rule     text COLLATE "C" NOT NULL,
  device   text COLLATE "C" NOT NULL,
  seen     int8multirange NOT NULL,
  given_up bigint NOT NULL,
  PRIMARY KEY (rule, device)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE iothub.device_sequence IS 'The sequence numbers that have arrived of each device; see iothub ledger --gaps';
COMMENT ON COLUMN iothub.device_sequence.given_up IS 'Missing numbers that are not listed any more, as there were too many gaps';

-- Joins what was seen before and what was seen since. Keeps the latest 1,000 ranges apart: older
-- gaps are closed and only counted.
CREATE FUNCTION iothub.merge_seen(
  before int8multirange, since int8multirange, given_up_before bigint,
  OUT seen int8multirange, OUT given_up bigint)
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  ranges int8range[];
  excess integer;
BEGIN
  seen := coalesce(before, '{}') + since;
  given_up := given_up_before;
  IF length(seen::text) > 6000 THEN
    ranges := ARRAY(SELECT r FROM unnest(seen) AS r ORDER BY r);
    excess := cardinality(ranges) - 1000;
    IF excess > 0 THEN
      FOR i IN 1 .. excess LOOP
        given_up := given_up + lower(ranges[i + 1]) - upper(ranges[i]);
      END LOOP;
      seen := seen + int8multirange(int8range(lower(ranges[1]), upper(ranges[excess + 1])));
    END IF;
  END IF;
END
$$;

-- As in 0005, and the ledger rows of writers that have not been seen for a day are added up.
CREATE OR REPLACE FUNCTION iothub.maintain() RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  day date;
  forgotten bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('iothub.maintain'));
  FOR day IN
    SELECT d FROM generate_series(current_date, current_date + 7, interval '1 day') AS s (d)
    UNION
    SELECT DISTINCT received_at::date FROM public.telemetry_default
  LOOP
    IF iothub.make_telemetry_partition(day) THEN
      RETURN NEXT format('made the partition of telemetry for %s', day);
    END IF;
  END LOOP;
  WITH gone AS (
    DELETE FROM iothub.ledger l
    WHERE l.hub <> '00000000-0000-0000-0000-000000000000' AND NOT EXISTS (
      SELECT FROM iothub.writer w
      WHERE w.hub = l.hub AND w.shard = l.shard AND w.seen_at > now() - interval '1 day')
    RETURNING *)
  INSERT INTO iothub.ledger AS l (
    rule, hub, shard, received, committed, filtered, dead_lettered, nothing_to_store,
    shed_storage_full, rows, duplicates)
  SELECT g.rule, '00000000-0000-0000-0000-000000000000', 0, sum(g.received), sum(g.committed),
         sum(g.filtered), sum(g.dead_lettered), sum(g.nothing_to_store), sum(g.shed_storage_full),
         sum(g.rows), sum(g.duplicates)
  FROM gone g GROUP BY g.rule ORDER BY g.rule
  ON CONFLICT (rule, hub, shard) DO UPDATE SET
    received = l.received + excluded.received,
    committed = l.committed + excluded.committed,
    filtered = l.filtered + excluded.filtered,
    dead_lettered = l.dead_lettered + excluded.dead_lettered,
    nothing_to_store = l.nothing_to_store + excluded.nothing_to_store,
    shed_storage_full = l.shed_storage_full + excluded.shed_storage_full,
    rows = l.rows + excluded.rows,
    duplicates = l.duplicates + excluded.duplicates;
  DELETE FROM iothub.writer WHERE seen_at < now() - interval '30 days';
  GET DIAGNOSTICS forgotten = ROW_COUNT;
  IF forgotten > 0 THEN
    RETURN NEXT format('forgot %s writers that have not been seen for 30 days', forgotten);
  END IF;
END
$$;
