-- The devices' part of the ledger, with each batch.
--
-- A row for each device is too dear for each batch, so a writer adds its devices up and books them
-- now and then. Until then the numbers of devices whose messages are numbered stand here, a row for
-- each batch in the batch's own transaction: a hub that is killed has lost none of them.

CREATE TABLE iothub.device_journal (
  hub    uuid NOT NULL,
  shard  integer NOT NULL,
  number bigint NOT NULL,
  booked boolean NOT NULL,
  lines  text NOT NULL,
  PRIMARY KEY (hub, shard, number, booked)
) WITH (autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE iothub.device_journal ALTER lines SET STORAGE EXTERNAL;
COMMENT ON TABLE iothub.device_journal IS 'What batches add to device_ledger and device_sequence, until it is booked there; see the view device_journal_line';
COMMENT ON COLUMN iothub.device_journal.booked IS 'Takes away what the batch has booked, while others of the same round are to follow';
COMMENT ON COLUMN iothub.device_journal.lines IS 'JSON: {rule: [[device, received, committed, filtered, dead_lettered, nothing_to_store, shed_storage_full, seen, given_up], …]}; what is missing at a line''s end is 0';

CREATE TABLE iothub.device_journal_mark (
  hub            uuid NOT NULL,
  shard          integer NOT NULL,
  added_through  bigint NOT NULL,
  booked_through bigint NOT NULL,
  PRIMARY KEY (hub, shard)
);
COMMENT ON TABLE iothub.device_journal_mark IS 'Journal rows up to these numbers count no more, of those that are not booked and those that are';

CREATE VIEW iothub.device_journal_line AS
SELECT j.hub, j.shard, j.number, r.key COLLATE "C" AS rule, (l.line ->> 0) COLLATE "C" AS device,
       coalesce((l.line ->> 1)::bigint, 0) AS received,
       coalesce((l.line ->> 2)::bigint, 0) AS committed,
       coalesce((l.line ->> 3)::bigint, 0) AS filtered,
       coalesce((l.line ->> 4)::bigint, 0) AS dead_lettered,
       coalesce((l.line ->> 5)::bigint, 0) AS nothing_to_store,
       coalesce((l.line ->> 6)::bigint, 0) AS shed_storage_full,
       coalesce((l.line ->> 7)::int8multirange, '{}') AS seen,
       coalesce((l.line ->> 8)::bigint, 0) AS given_up
FROM iothub.device_journal j
LEFT JOIN iothub.device_journal_mark m ON m.hub = j.hub AND m.shard = j.shard
CROSS JOIN LATERAL jsonb_each(j.lines::jsonb) AS r (key, value)
CROSS JOIN LATERAL jsonb_array_elements(r.value) AS l (line)
WHERE j.number > coalesce(CASE WHEN j.booked THEN m.booked_through ELSE m.added_through END, 0);

-- What became of each device's messages, at this moment.
CREATE VIEW iothub.device_account AS
SELECT rule, device, sum(received)::bigint AS received, sum(committed)::bigint AS committed,
       sum(filtered)::bigint AS filtered, sum(dead_lettered)::bigint AS dead_lettered,
       sum(nothing_to_store)::bigint AS nothing_to_store,
       sum(shed_storage_full)::bigint AS shed_storage_full
FROM (
  SELECT rule, device, received, committed, filtered, dead_lettered, nothing_to_store,
         shed_storage_full
  FROM iothub.device_ledger
  UNION ALL
  SELECT rule, device, received, committed, filtered, dead_lettered, nothing_to_store,
         shed_storage_full
  FROM iothub.device_journal_line) AS a
GROUP BY rule, device;

-- The sequence numbers that have arrived of each device, at this moment.
CREATE VIEW iothub.device_seen AS
SELECT s.rule, s.device, range_agg(u.part) AS seen,
       least(sum(s.given_up) FILTER (WHERE u.n = 1), 9223372036854775807)::bigint AS given_up
FROM (
  SELECT rule, device, seen, given_up FROM iothub.device_sequence
  UNION ALL
  SELECT rule, device, seen, given_up FROM iothub.device_journal_line) AS s
CROSS JOIN LATERAL unnest(s.seen) WITH ORDINALITY AS u (part, n)
GROUP BY s.rule, s.device;

-- Removes entries that a mark has passed: those after the first number, up to the second. By the
-- index, whatever the statistics of a table say that is empty at times.
CREATE FUNCTION iothub.forget_journal(
  writer_hub uuid, writer_shard integer, after_number bigint, through_number bigint)
RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
  DELETE FROM iothub.device_journal j
  WHERE j.hub = writer_hub AND j.shard = writer_shard
    AND j.number > after_number AND j.number <= through_number;
END
$$;

-- Books what writers that have not been seen for a day have left in the journal.
CREATE FUNCTION iothub.book_left_devices() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  w record;
BEGIN
  FOR w IN
    SELECT j.hub, j.shard, max(j.number) AS last FROM iothub.device_journal j
    WHERE NOT EXISTS (SELECT FROM iothub.writer o WHERE o.hub = j.hub AND o.shard = j.shard
                      AND o.seen_at > now() - interval '1 day')
    GROUP BY j.hub, j.shard
  LOOP
    INSERT INTO iothub.device_ledger AS d (
      rule, device, received, committed, filtered, dead_lettered, nothing_to_store,
      shed_storage_full)
    SELECT l.rule, l.device, sum(l.received), sum(l.committed), sum(l.filtered),
           sum(l.dead_lettered), sum(l.nothing_to_store), sum(l.shed_storage_full)
    FROM iothub.device_journal_line l
    WHERE l.hub = w.hub AND l.shard = w.shard AND l.number <= w.last
    GROUP BY l.rule, l.device ORDER BY l.rule, l.device
    ON CONFLICT (rule, device) DO UPDATE SET
      received = d.received + excluded.received,
      committed = d.committed + excluded.committed,
      filtered = d.filtered + excluded.filtered,
      dead_lettered = d.dead_lettered + excluded.dead_lettered,
      nothing_to_store = d.nothing_to_store + excluded.nothing_to_store,
      shed_storage_full = d.shed_storage_full + excluded.shed_storage_full;
    INSERT INTO iothub.device_sequence AS s (rule, device, seen, given_up)
    SELECT l.rule, l.device, range_agg(u.part),
           least(sum(l.given_up) FILTER (WHERE u.n = 1), 9223372036854775807)
    FROM iothub.device_journal_line l
    CROSS JOIN LATERAL unnest(l.seen) WITH ORDINALITY AS u (part, n)
    WHERE l.hub = w.hub AND l.shard = w.shard AND l.number <= w.last
    GROUP BY l.rule, l.device ORDER BY l.rule, l.device
    ON CONFLICT (rule, device) DO UPDATE SET (seen, given_up) = (
      SELECT m.seen, m.given_up
      FROM iothub.merge_seen(
        s.seen, excluded.seen,
        least(s.given_up::numeric + excluded.given_up, 9223372036854775807)::bigint) AS m);
    DELETE FROM iothub.device_journal j
    WHERE j.hub = w.hub AND j.shard = w.shard AND j.number <= w.last;
    DELETE FROM iothub.device_journal_mark m WHERE m.hub = w.hub AND m.shard = w.shard;
  END LOOP;
  -- Of writers that have left nothing.
  DELETE FROM iothub.device_journal_mark m
  WHERE NOT EXISTS (SELECT FROM iothub.writer o WHERE o.hub = m.hub AND o.shard = m.shard
                    AND o.seen_at > now() - interval '1 day')
    AND NOT EXISTS (SELECT FROM iothub.device_journal j WHERE j.hub = m.hub AND j.shard = m.shard);
END
$$;

-- As in 0007, and journal_lines, when there are any, go into the journal under journal_number.
DROP FUNCTION iothub.book_batch(
  uuid, integer, bigint, bigint, text[], bigint[], tid[], tid[]);
CREATE FUNCTION iothub.book_batch(
  writer_hub uuid, writer_shard integer, writer_link bigint, writer_batch bigint,
  rules text[], counts bigint[], pages tid[], places tid[],
  journal_number bigint DEFAULT 0, journal_lines text DEFAULT '')
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
  IF journal_lines <> '' THEN
    INSERT INTO iothub.device_journal (hub, shard, number, booked, lines)
    VALUES (writer_hub, writer_shard, journal_number, false, journal_lines);
  END IF;
  RETURN left_at;
END
$$;

-- As in 0007, and the devices of writers that are gone.
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
    ORDER BY 1
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
  PERFORM iothub.book_left_devices();
  DELETE FROM iothub.writer WHERE seen_at < now() - interval '30 days';
  GET DIAGNOSTICS forgotten = ROW_COUNT;
  IF forgotten > 0 THEN
    RETURN NEXT format('forgot %s writers that have not been seen for 30 days', forgotten);
  END IF;
END
$$;
