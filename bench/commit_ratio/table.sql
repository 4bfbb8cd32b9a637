-- No index: what is compared is the way of a row into the table.
CREATE TABLE climate (
  ts          timestamptz NOT NULL,
  device      text NOT NULL,
  temperature float8,
  humidity    float8,
  seq         int8
);

-- The same for rows of which each may be there only once.
CREATE TABLE climate_keyed (LIKE climate INCLUDING ALL, PRIMARY KEY (device, seq));
