-- The mark that each batch leaves in its own transaction. When the link breaks while a COMMIT is
-- under way, the hub reads the mark on the next link and knows whether the batch is in.

CREATE TABLE iothub.writer (
  hub     uuid NOT NULL,
  shard   integer NOT NULL,
  link    bigint NOT NULL,
  batch   bigint NOT NULL,
  seen_at timestamptz NOT NULL,
  PRIMARY KEY (hub, shard)
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0);
COMMENT ON TABLE iothub.writer IS 'The last committed batch of each shard of each start of a hub';
COMMENT ON COLUMN iothub.writer.link IS 'Raised by each connection, so that what an earlier one has left in the network is refused';

-- Called once by each new connection. Waits for a batch of an earlier connection that is still
-- running, and makes any that arrives later fail. Returns the last batch that has committed, 0 when
-- none has.
CREATE FUNCTION iothub.claim_writer(
  writer_hub uuid, writer_shard integer, OUT link bigint, OUT batch bigint)
LANGUAGE sql AS $$
  INSERT INTO iothub.writer AS w (hub, shard, link, batch, seen_at)
  VALUES (writer_hub, writer_shard, 1, 0, now())
  ON CONFLICT (hub, shard) DO UPDATE SET link = w.link + 1
  RETURNING w.link, w.batch
$$;

-- Called in each batch's transaction, as near to its end as possible. Fails with IH001 when another
-- connection has claimed the writer since.
CREATE FUNCTION iothub.mark_batch(
  writer_hub uuid, writer_shard integer, writer_link bigint, writer_batch bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE iothub.writer SET batch = writer_batch, seen_at = now()
  WHERE hub = writer_hub AND shard = writer_shard AND link = writer_link;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'batch % of writer %/% comes from a link that was given up',
      writer_batch, writer_hub, writer_shard USING ERRCODE = 'IH001';
  END IF;
END
$$;

-- Ends what earlier links of a writer have left running: backends that hold its row, or that are
-- busy with a query that begins with its tag. Needs the same role, or pg_signal_backend.
CREATE FUNCTION iothub.end_stale_batches(writer_hub uuid, writer_shard integer)
RETURNS bigint LANGUAGE sql AS $$
  SELECT count(pg_terminate_backend(pid)) FROM (
    SELECT l.pid
    FROM iothub.writer w
    JOIN pg_locks l ON l.locktype = 'transactionid' AND l.transactionid = w.xmax AND l.granted
    WHERE w.hub = writer_hub AND w.shard = writer_shard
    UNION
    SELECT a.pid
    FROM pg_stat_activity a
    WHERE a.datname = current_database() AND a.state <> 'idle'
      AND starts_with(a.query, format('/* iothub %s/%s */', writer_hub, writer_shard))
  ) AS stale
  WHERE pid <> pg_backend_pid()
$$;

-- Binary COPY carries no types: eight bytes that were a double precision would be read as a bigint
-- if the column had been altered meanwhile. So each batch says what it takes the columns for; fails
-- with 42804 when that is no longer so.
CREATE FUNCTION iothub.check_columns(target regclass, names text[], types text[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  wrong text;
BEGIN
  SELECT format('column %I of %s is %s now, and was %s when the rule was loaded', w.name, target,
                coalesce(format_type(a.atttypid, a.atttypmod), 'missing'), w.type)
  INTO wrong
  FROM unnest(names, types) AS w (name, type)
  LEFT JOIN pg_attribute a
    ON a.attrelid = target AND a.attname = w.name AND a.attnum > 0 AND NOT a.attisdropped
  WHERE format_type(a.atttypid, a.atttypmod) IS DISTINCT FROM w.type
  LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION '%', wrong USING ERRCODE = 'datatype_mismatch';
  END IF;
END
$$;

-- Rows with a key go by COPY as long as no key repeats, and it is the unique index that tells: fails
-- with 42P10 when there is none over exactly these columns.
CREATE FUNCTION iothub.check_key(target regclass, names text[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM pg_index i
  WHERE i.indrelid = target AND i.indisunique AND i.indisvalid AND i.indimmediate
    AND i.indpred IS NULL AND i.indnkeyatts = cardinality(names)
    AND NOT EXISTS (
      SELECT FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) AS k (attnum)
      LEFT JOIN pg_attribute a ON a.attrelid = target AND a.attnum = k.attnum
        AND a.attnum > 0 AND a.attname = ANY (names)
      WHERE a.attnum IS NULL);
  IF NOT FOUND THEN
    RAISE EXCEPTION 'table % has no unique index over exactly (%)', target,
      array_to_string(names, ', ') USING ERRCODE = 'invalid_column_reference';
  END IF;
END
$$;
