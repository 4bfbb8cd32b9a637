-- Double entry. An entry moves money between ledger accounts and its lines add up to nothing; a
-- balance is the sum of the lines and can be changed in no other way. All of it is checked here,
-- so that no program, this one included, can leave a wrong balance behind.

create table ledger_account (
  id            bigint generated always as identity primary key,
  account_id    text references account,  -- null: the operator's own books
  kind          text not null
                check (kind in ('cash', 'coupon', 'deposits', 'grants', 'revenue', 'expired')),
  coupon_id     text unique,
  balance_micro bigint not null default 0,
  -- What an account owns cannot be overdrawn.
  constraint not_overdrawn check (kind not in ('cash', 'coupon') or balance_micro >= 0),
  check ((kind = 'coupon') = (coupon_id is not null)),
  check (case kind when 'cash' then account_id is not null
                   when 'coupon' then true  -- not yet bound
                   else account_id is null end)
);
create unique index on ledger_account (account_id) where kind = 'cash';
create unique index on ledger_account (kind) where kind not in ('cash', 'coupon');

create table ledger_entry (
  id         bigint generated always as identity primary key,
  account_id text not null references account,
  at         timestamptz not null,
  kind       text not null check (kind in ('deposit', 'withdrawal', 'grant', 'payment', 'refund',
                                           'expiry')),
  reference  text not null unique,  -- what it is for: an entry cannot be made twice
  memo       text not null
);
create index on ledger_entry (account_id, id);

create table ledger_line (
  entry_id          bigint not null references ledger_entry,
  ledger_account_id bigint not null references ledger_account,
  amount_micro      bigint not null check (amount_micro <> 0),
  primary key (entry_id, ledger_account_id)
);
create index on ledger_line (ledger_account_id);

insert into ledger_account (kind) values ('deposits'), ('grants'), ('revenue'), ('expired');

create function ledger_line_posts() returns trigger language plpgsql as $$
begin
  update ledger_account set balance_micro = balance_micro + new.amount_micro
   where id = new.ledger_account_id;
  return null;
end $$;
create trigger posts after insert on ledger_line
  for each row execute function ledger_line_posts();

create function ledger_entry_balances() returns trigger language plpgsql as $$
declare
  entry bigint;
begin
  if tg_table_name = 'ledger_entry' then entry := new.id; else entry := new.entry_id; end if;
  if (select coalesce(sum(amount_micro), 1) <> 0 from ledger_line where entry_id = entry) then
    raise exception 'ledger entry % does not balance', entry using errcode = 'check_violation';
  end if;
  return null;
end $$;
create constraint trigger balances after insert on ledger_line deferrable initially deferred
  for each row execute function ledger_entry_balances();
create constraint trigger balances after insert on ledger_entry deferrable initially deferred
  for each row execute function ledger_entry_balances();

create function ledger_is_written_once() returns trigger language plpgsql as $$
begin
  raise exception 'the ledger is written once: % on % is refused', tg_op, tg_table_name
    using errcode = 'restrict_violation';
end $$;
create trigger written_once before update or delete or truncate on ledger_entry
  for each statement execute function ledger_is_written_once();
create trigger written_once before update or delete or truncate on ledger_line
  for each statement execute function ledger_is_written_once();
create trigger written_once before delete or truncate on ledger_account
  for each statement execute function ledger_is_written_once();

-- Only ledger_line_posts() changes a balance: from there this trigger runs at a depth of two.
create function ledger_account_is_posted_to() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    if new.balance_micro <> 0 then
      raise exception 'a ledger account begins empty' using errcode = 'restrict_violation';
    end if;
  elsif new.balance_micro <> old.balance_micro and pg_trigger_depth() < 2
        or new.kind <> old.kind or new.coupon_id is distinct from old.coupon_id
        or old.account_id is not null and new.account_id is distinct from old.account_id then
    raise exception 'a balance changes by ledger lines only, and its owner not at all'
      using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger posted_to before insert or update on ledger_account
  for each row execute function ledger_account_is_posted_to();

create table coupon (
  id            text primary key,             -- the number that its holder types
  account_id    text references account,      -- null until bound
  kind          text not null check (kind in ('free', 'paid')),
  total_micro   bigint not null check (total_micro > 0),
  products      text[] not null,              -- empty: all
  billing_modes text[] not null,              -- empty: all
  valid_from    timestamptz not null,
  valid_to      timestamptz not null check (valid_to > valid_from),
  expired       boolean not null default false, -- the rest has been written off
  created_at    timestamptz not null
);
create index on coupon (account_id);
alter table ledger_account add foreign key (coupon_id) references coupon;
