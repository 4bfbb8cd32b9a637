alter table usage_day add column messages bigint not null default 0;
