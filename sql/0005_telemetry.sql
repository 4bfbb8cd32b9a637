-- The table of the default rule. One partition for each day (UTC), made ahead of time by
-- iothub.maintain(); sql/README.md has the measurements behind this shape.

CREATE TABLE public.telemetry (
  received_at timestamptz NOT NULL,
  device      text NOT NULL,
  topic       text NOT NULL,
  payload     jsonb
) PARTITION BY RANGE (received_at);
CREATE INDEX telemetry_device ON public.telemetry (device, received_at);
CREATE TABLE public.telemetry_default PARTITION OF public.telemetry DEFAULT;
COMMENT ON TABLE public.telemetry IS 'What the devices sent, one row for each message';
COMMENT ON TABLE public.telemetry_default IS 'Rows outside of every day''s partition; iothub.maintain() moves them';

-- Makes the partition of one day; rows of that day that wait in the default partition move to it.
-- Returns false when there is one already. Writers are not held up: a new table is made aside, then
-- attached.
CREATE FUNCTION iothub.make_telemetry_partition(day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  partition text := format('telemetry_%s', to_char(day, 'YYYYMMDD'));
BEGIN
  IF to_regclass('public.' || partition) IS NOT NULL THEN
    RETURN false;
  END IF;
  EXECUTE format('CREATE TABLE public.%I (LIKE public.telemetry INCLUDING ALL)', partition);
  IF EXISTS (SELECT FROM public.telemetry_default
             WHERE received_at >= day::timestamptz AND received_at < (day + 1)::timestamptz) THEN
    LOCK TABLE public.telemetry_default IN ACCESS EXCLUSIVE MODE;
    EXECUTE format(
      'WITH moved AS (DELETE FROM public.telemetry_default
                      WHERE received_at >= %L::timestamptz AND received_at < %L::timestamptz
                      RETURNING received_at, device, topic, payload)
       INSERT INTO public.%I (received_at, device, topic, payload)
       SELECT received_at, device, topic, payload FROM moved', day, day + 1, partition);
  END IF;
  EXECUTE format('ALTER TABLE public.telemetry ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                 partition, day::timestamptz, (day + 1)::timestamptz);
  RETURN true;
END
$$;

-- Drops whole days: every partition that ends at or before the given instant. Returns their names.
CREATE FUNCTION iothub.drop_telemetry_before(instant timestamptz) RETURNS SETOF text
LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
  partition text;
BEGIN
  FOR partition IN
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'public.telemetry'::regclass AND c.relname ~ '^telemetry_\d{8}$'
      AND to_date(right(c.relname, 8), 'YYYYMMDD') + 1 <= instant
    ORDER BY c.relname
  LOOP
    EXECUTE format('DROP TABLE public.%I', partition);
    RETURN NEXT partition;
  END LOOP;
END
$$;

-- Called by the hub at its start and once a day; harmless at any other time, and when several hubs
-- call it at once. Returns a line for each thing done.
CREATE FUNCTION iothub.maintain() RETURNS SETOF text
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
  DELETE FROM iothub.writer WHERE seen_at < now() - interval '30 days';
  GET DIAGNOSTICS forgotten = ROW_COUNT;
  IF forgotten > 0 THEN
    RETURN NEXT format('forgot %s writers that have not been seen for 30 days', forgotten);
  END IF;
END
$$;
