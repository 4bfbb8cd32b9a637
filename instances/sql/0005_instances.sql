create table rds_instance (
  id               text primary key,
  account_id       text not null references account,
  region           text not null,
  name             text not null,
  zones            text[] not null,
  vpc_id           text not null,            -- these two may be gone when it is deleted;
  subnet_id        text not null,            -- until then its address holds them
  engine           text not null check (engine in ('postgresql')),
  external_url     text,                     -- a server that is not ours; null: one of our own
  class            text not null,
  storage_gb       integer not null,
  port             integer not null check (port between 1150 and 5999),
  address          inet,
  state            text not null check (state in ('ordered', 'building', 'running', 'restarting',
                                                  'suspended', 'error', 'deleting', 'deleted')),
  health           text not null default '',
  failed_step      text not null default '',
  message          text not null default '',
  admin_name       text not null,
  admin_password   text,                     -- until the cluster has it
  database_name    text not null default 'iothub',
  admin_url        text not null default '', -- how the control plane reaches it
  initialized_at   timestamptz,
  version          bigint not null default 1,
  created_at       timestamptz not null,
  deleted_at       timestamptz
);
create index on rds_instance (account_id);

create table hub_instance (
  id                text primary key,
  account_id        text not null references account,
  region            text not null,
  name              text not null,
  description       text not null default '',
  zones             text[] not null,
  vpc_id            text not null,
  subnet_id         text not null,
  rds_id            text not null references rds_instance,
  address           inet,
  public_port       integer unique,
  public_host       text not null default '',
  shards            integer not null default 1 check (shards between 1 and 64),
  max_devices       bigint not null,
  max_messages      bigint not null default 0,
  generation        integer not null default 1, -- of the configuration
  database_password text not null default '',
  state             text not null check (state in ('ordered', 'preparing', 'building', 'running',
                                                   'updating', 'suspending', 'error', 'deleting',
                                                   'deleted')),
  progress          integer not null default 0 check (progress between 0 and 100),
  health            text not null default '',
  failed_step       text not null default '',
  message           text not null default '',
  version           bigint not null default 1,
  created_at        timestamptz not null,
  deleted_at        timestamptz
);
create index on hub_instance (account_id);
-- The name is unique among those that exist; a database serves one hub.
create unique index hub_names on hub_instance (account_id, region, name)
  where state not in ('ordered', 'deleted');
create unique index hub_databases on hub_instance (rds_id)
  where state not in ('ordered', 'error', 'deleted');

-- Work that takes steps on the machine. Written in the transaction that decides on the work, and
-- carried out afterwards, step by step, as often as it takes.
create table operation (
  id              text primary key,
  account_id      text not null references account,
  kind            text not null,           -- 'hub.create', 'rds.init', ...
  resource_id     text not null,
  order_number    text references purchase_order,
  argument        text not null default '',
  status          text not null check (status in ('running', 'undoing', 'done', 'failed')),
  step            integer not null default 0, -- the next to do, or to undo
  attempts        integer not null default 0, -- at this step
  next_attempt_at timestamptz not null,
  progress        integer not null default 0,
  message         text not null default '',
  created_at      timestamptz not null,
  ended_at        timestamptz
);
create index on operation (next_attempt_at) where status in ('running', 'undoing');
create index on operation (resource_id);
-- One piece of work at a time on one resource.
create unique index one_operation on operation (resource_id) where status in ('running', 'undoing');

create table operation_step (
  operation_id text not null references operation,
  position     integer not null,
  name         text not null,
  status       text not null check (status in ('running', 'done', 'failed', 'undone')),
  attempts     integer not null default 1,
  message      text not null default '',
  started_at   timestamptz not null,
  ended_at     timestamptz,
  primary key (operation_id, position)
);

-- Instances whose traffic rules have changed since they were last applied.
create table stale_rules (
  instance_id text primary key,
  changed_at  timestamptz not null
);
