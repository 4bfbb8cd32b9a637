-- A database whose storage is full takes no writes. Said here before it is so, and until it is not.
alter table rds_instance add column read_only boolean not null default false;
