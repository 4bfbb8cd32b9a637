-- Who owns resources, how they sign in, and whether their identity has been verified.

create table account (
  id                   text primary key,
  name                 text not null unique,
  password_hash        text,                            -- argon2id; null: no sign-in by password
  operator             boolean not null default false,  -- runs the control plane itself
  wrong_passwords      integer not null default 0,      -- in a row
  sign_in_frozen_until timestamptz,
  created_at           timestamptz not null
);

create table verification (
  account_id        text primary key references account,
  kind              text not null check (kind in ('personal', 'enterprise')),
  status            text not null
                    check (status in ('reviewing', 'rejected', 'awaiting_remittance', 'verified')),
  subject           text not null,  -- the person's or the company's name
  identity_hash     bytea not null, -- keyed hash of the identity's number, which is not kept
  details           text not null,  -- what the reviewer reads
  reason            text,           -- why it was rejected
  remittance_micro  bigint check (remittance_micro > 0),
  wrong_amounts     integer not null default 0,  -- in a row
  frozen_until      timestamptz,
  updated_at        timestamptz not null,
  check ((status = 'awaiting_remittance') = (remittance_micro is not null))
);
-- One identity verifies at most one account.
create unique index on verification (identity_hash) where status <> 'rejected';

create table api_token (
  id          text primary key,
  account_id  text not null references account,
  name        text not null,
  secret_hash bytea not null unique,
  scopes      text[] not null,
  created_at  timestamptz not null,
  expires_at  timestamptz not null,
  revoked_at  timestamptz
);
create index on api_token (account_id);

-- Values that the installation made for itself once.
create table setting (
  name  text primary key,
  value bytea not null
);

create table quota_override (
  account_id text not null references account,
  name       text not null,
  value      bigint not null check (value >= 0),
  primary key (account_id, name)
);

-- The answer that a request with an idempotency key got, in the transaction that did its work.
create table idempotency_key (
  account_id   text not null,
  key          text not null,
  request_hash bytea not null,
  status       integer not null,
  body         text not null,
  created_at   timestamptz not null,
  primary key (account_id, key)
);
create index on idempotency_key (created_at);
