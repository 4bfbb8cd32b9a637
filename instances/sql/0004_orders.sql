create table purchase_order (
  number         text primary key,
  account_id     text not null references account,
  type           text not null check (type in ('new', 'renew')),
  pay_type       text not null check (pay_type in ('prepaid', 'postpaid')),
  charge_mode    text not null check (charge_mode in ('configuration', 'consumption', 'monthly')),
  product        text not null,
  resource_id    text not null,
  region         text not null,
  months         integer not null default 0 check (months between 0 and 36),
  status         text not null check (status in ('no_pay', 'dealing', 'paid', 'failed', 'canceled',
                                                 'refund_part', 'refund_all')),
  total_micro    bigint not null check (total_micro >= 0),
  coupon_micro   bigint not null default 0 check (coupon_micro >= 0),
  cash_micro     bigint not null default 0 check (cash_micro >= 0),
  coupon_id      text references coupon,
  terms_at       timestamptz,              -- when the terms were accepted
  paid_at        timestamptz,
  expires_at     timestamptz not null,     -- when it is cancelled by itself
  message        text not null default '',
  created_at     timestamptz not null,
  check (coupon_micro + cash_micro <= total_micro),
  check (status in ('no_pay', 'canceled') or terms_at is not null)
);
create index on purchase_order (account_id, created_at);
create index on purchase_order (expires_at) where status = 'no_pay';

-- How a resource is charged. One row per resource that costs money.
create table charge (
  resource_id   text primary key,
  account_id    text not null references account,
  region        text not null,
  product       text not null,
  mode          text not null check (mode in ('configuration', 'consumption', 'monthly')),
  price_micro   bigint not null,           -- per hour or per month; 0 for consumption
  status        text not null default 'normal' check (status in ('normal', 'overdue', 'arrear')),
  started_at    timestamptz not null,
  settled_until timestamptz not null,      -- all before it is billed
  expires_at    timestamptz,               -- monthly only
  auto_renew    boolean not null default false,
  renew_months  integer not null default 1 check (renew_months between 1 and 36),
  renew_tried   timestamptz,
  overdue_since timestamptz,               -- the first settlement that could not be paid
  ended_at      timestamptz,
  check ((mode = 'monthly') = (expires_at is not null))
);
create index on charge (account_id);

-- When a resource that is charged by configuration ran.
create table charge_interval (
  resource_id text not null references charge,
  from_at     timestamptz not null,
  to_at       timestamptz check (to_at >= from_at),
  primary key (resource_id, from_at),
  exclude using gist (resource_id with =, tstzrange(from_at, to_at) with &&)
);

create table bill (
  id           bigint generated always as identity primary key,
  account_id   text not null references account,
  resource_id  text not null,
  region       text not null,
  product      text not null,
  charge_mode  text not null,
  trade        text not null check (trade in ('use', 'new', 'renew', 'refund')),
  item         text not null,              -- 'hour', 'messages', 'devices', 'package'
  period_start timestamptz not null,
  period_end   timestamptz not null check (period_end >= period_start),
  quantity     bigint not null,            -- seconds, units, devices or months
  fee_micro    bigint not null,            -- to six decimals
  erased_micro bigint not null,            -- what the truncation to cents leaves out
  actual_micro bigint not null,            -- to be paid: whole cents
  coupon_micro bigint not null default 0,
  cash_micro   bigint not null default 0,
  paid         boolean not null default false,
  note         text not null default '',
  created_at   timestamptz not null,
  paid_at      timestamptz,
  unique (resource_id, item, period_start, trade), -- a period is billed exactly once
  check (fee_micro = actual_micro + erased_micro and actual_micro % 10000 = 0),
  check (paid = (paid_at is not null)),
  check (not paid or coupon_micro + cash_micro = actual_micro)
);
create index on bill (account_id, id);
create index on bill (account_id) where not paid;

-- What a hub counted, by its instance and the day (UTC+8). Cumulative: a later report replaces.
create table usage_day (
  resource_id    text not null,
  day            date not null,
  free_units     bigint not null check (free_units >= 0),     -- of 0.5 KB
  paid_units     bigint not null check (paid_units >= 0),     -- of 2 KB
  active_devices bigint not null check (active_devices >= 0),
  primary key (resource_id, day)
);
