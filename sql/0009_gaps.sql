-- As in 0006, but the count of what is missing ends at the largest bigint: numbers may be as far apart
-- as their type allows.
CREATE OR REPLACE FUNCTION iothub.merge_seen(
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
        given_up := least(given_up::numeric + lower(ranges[i + 1]) - upper(ranges[i]),
                          9223372036854775807);
      END LOOP;
      seen := seen + int8multirange(int8range(lower(ranges[1]), upper(ranges[excess + 1])));
    END IF;
  END IF;
END
$$;
