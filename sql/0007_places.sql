-- The mark and the ledger without an index, found where they were left.
--
-- Each batch changes its writer's row and a row for each rule. While another transaction holds a
-- snapshot for long (a dump), the dead versions of these rows stay, and an index leads through all
-- of them: 0.7 ms for each batch after 25,000, and growing. So the writer remembers the page of each
-- row's latest version and has that page read alone. Without an index a new version is written to
-- another page without a look at the others, too. Who does not know the place reads the table.

ALTER TABLE iothub.writer DROP CONSTRAINT writer_pkey;
ALTER TABLE iothub.writer REPLICA IDENTITY FULL;
ALTER TABLE iothub.writer SET (fillfactor = 50);
ALTER TABLE iothub.ledger DROP CONSTRAINT ledger_pkey;
ALTER TABLE iothub.ledger REPLICA IDENTITY FULL;
ALTER TABLE iothub.ledger SET (fillfactor = 50);

-- As in 0002. A lock stands in for the unique index.
CREATE OR REPLACE FUNCTION iothub.claim_writer(
  writer_hub uuid, writer_shard integer, OUT link bigint, OUT batch bigint)
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(format('iothub.writer %s/%s', writer_hub, writer_shard), 0));
  UPDATE iothub.writer AS w SET link = w.link + 1
  WHERE w.hub = writer_hub AND w.shard = writer_shard
  RETURNING w.link, w.batch INTO claim_writer.link, claim_writer.batch;
  IF NOT FOUND THEN
    INSERT INTO iothub.writer (hub, shard, link, batch, seen_at)
    VALUES (writer_hub, writer_shard, 1, 0, now());
    link := 1;
    batch := 0;
  END IF;
END
$$;

-- The mark of a batch, wherever it is.
CREATE FUNCTION iothub.find_mark(
  writer_hub uuid, writer_shard integer, writer_link bigint, writer_batch bigint)
RETURNS tid LANGUAGE plpgsql SET enable_seqscan = on AS $$
DECLARE
  place tid;
BEGIN
  UPDATE iothub.writer SET batch = writer_batch, seen_at = now()
  WHERE hub = writer_hub AND shard = writer_shard AND link = writer_link
  RETURNING ctid INTO place;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'batch % of writer %/% comes from a link that was given up',
      writer_batch, writer_hub, writer_shard USING ERRCODE = 'IH001';
  END IF;
  RETURN place;
END
$$;

-- Adds to a writer's row of one rule, wherever it is. counts: eight numbers, in the table's order.
CREATE FUNCTION iothub.find_ledger(
  writer_hub uuid, writer_shard integer, of_rule text, counts bigint[])
RETURNS tid LANGUAGE plpgsql SET enable_seqscan = on AS $$
DECLARE
  place tid;
BEGIN
  -- A hub's rows are its writer's, whose mark is locked. Those under hub 0 are everyone's.
  IF writer_hub = '00000000-0000-0000-0000-000000000000' THEN
    PERFORM pg_advisory_xact_lock(hashtext('iothub.ledger'));
  END IF;
  UPDATE iothub.ledger AS l SET
    received = l.received + counts[1],
    committed = l.committed + counts[2],
    filtered = l.filtered + counts[3],
    dead_lettered = l.dead_lettered + counts[4],
    nothing_to_store = l.nothing_to_store + counts[5],
    shed_storage_full = l.shed_storage_full + counts[6],
    rows = l.rows + counts[7],
    duplicates = l.duplicates + counts[8]
  WHERE l.rule = of_rule AND l.hub = writer_hub AND l.shard = writer_shard
  RETURNING l.ctid INTO place;
  IF NOT FOUND THEN
    INSERT INTO iothub.ledger AS l (
      rule, hub, shard, received, committed, filtered, dead_lettered, nothing_to_store,
      shed_storage_full, rows, duplicates)
    VALUES (of_rule, writer_hub, writer_shard, counts[1], counts[2], counts[3], counts[4],
            counts[5], counts[6], counts[7], counts[8])
    RETURNING l.ctid INTO place;
  END IF;
  RETURN place;
END
$$;

-- As in 0006.
CREATE OR REPLACE FUNCTION iothub.add_to_ledger(
  writer_hub uuid, writer_shard integer, rules text[], counts bigint[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. cardinality(rules) LOOP
    PERFORM iothub.find_ledger(writer_hub, writer_shard, rules[i], counts[8 * i - 7 : 8 * i]);
  END LOOP;
END
$$;

-- Called in each batch's transaction, as near to its end as possible: sets the mark and adds to the
-- ledger. Fails with IH001 when another connection has claimed the writer since.
--
-- counts: eight numbers for each rule. places: where the last committed batch has left the mark, and
-- then the row of each rule; NULL when that is not known. pages: the beginnings of their pages.
-- Returns the new places.
CREATE FUNCTION iothub.book_batch(
  writer_hub uuid, writer_shard integer, writer_link bigint, writer_batch bigint,
  rules text[], counts bigint[], pages tid[], places tid[])
RETURNS tid[] LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  place tid;
  left_at tid[];
BEGIN
  UPDATE iothub.writer SET batch = writer_batch, seen_at = now()
  WHERE ctid >= pages[1] AND ctid <= places[1]
    AND hub = writer_hub AND shard = writer_shard AND link = writer_link
  RETURNING ctid INTO place;
  IF NOT FOUND THEN
    place := iothub.find_mark(writer_hub, writer_shard, writer_link, writer_batch);
  END IF;
  left_at[1] := place;
  FOR i IN 1 .. cardinality(rules) LOOP
    UPDATE iothub.ledger AS l SET
      received = l.received + counts[8 * i - 7],
      committed = l.committed + counts[8 * i - 6],
      filtered = l.filtered + counts[8 * i - 5],
      dead_lettered = l.dead_lettered + counts[8 * i - 4],
      nothing_to_store = l.nothing_to_store + counts[8 * i - 3],
      shed_storage_full = l.shed_storage_full + counts[8 * i - 2],
      rows = l.rows + counts[8 * i - 1],
      duplicates = l.duplicates + counts[8 * i]
    WHERE l.ctid >= pages[1 + i] AND l.ctid <= places[1 + i]
      AND l.rule = rules[i] AND l.hub = writer_hub AND l.shard = writer_shard
    RETURNING l.ctid INTO place;
    IF NOT FOUND THEN
      place := iothub.find_ledger(writer_hub, writer_shard, rules[i], counts[8 * i - 7 : 8 * i]);
    END IF;
    left_at[1 + i] := place;
  END LOOP;
  RETURN left_at;
END
$$;

-- As in 0006.
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
    RETURNING *),
  sums AS (
    SELECT g.rule, ARRAY[sum(g.received), sum(g.committed), sum(g.filtered), sum(g.dead_lettered),
                         sum(g.nothing_to_store), sum(g.shed_storage_full), sum(g.rows),
                         sum(g.duplicates)]::bigint[] AS counts
    FROM gone g GROUP BY g.rule)
  SELECT count(iothub.find_ledger('00000000-0000-0000-0000-000000000000', 0, s.rule, s.counts))
  INTO forgotten FROM sums s;
  DELETE FROM iothub.writer WHERE seen_at < now() - interval '30 days';
  GET DIAGNOSTICS forgotten = ROW_COUNT;
  IF forgotten > 0 THEN
    RETURN NEXT format('forgot %s writers that have not been seen for 30 days', forgotten);
  END IF;
END
$$;
