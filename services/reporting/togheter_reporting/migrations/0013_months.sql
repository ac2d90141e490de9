-- The network's log in parts, a month each, which can be taken away and brought back.
--
-- The parts are ranges of positions: positions grow with the time of receipt, every reader goes by
-- position, and so no reader looks into a part that it does not need. What is unique for ever is
-- not a matter of an index over all parts: a channel's numbers come without a gap, so the last one
-- is enough to refuse any that came before.

alter table inbox rename to inbox_from_1;
alter table inbox_from_1 alter position drop identity;
alter table inbox_from_1 drop constraint inbox_origin_channel_epoch_number_key;
alter table inbox_from_1 rename constraint inbox_pkey to inbox_from_1_pkey;

create sequence inbox_position_seq;
select setval('inbox_position_seq', coalesce(max(position), 0) + 1, false) from inbox_from_1;

create table inbox (
    like inbox_from_1 including defaults including storage,
    primary key (position)
) partition by range (position);
alter table inbox alter position set default nextval('inbox_position_seq');
alter sequence inbox_position_seq owned by inbox.position;
create index on inbox (origin, channel, epoch, number);
create index on inbox (type, position);    -- what a report does not count it does not read
alter table inbox attach partition inbox_from_1 for values from (minvalue) to (maxvalue);

comment on table inbox is 'append-only: the network''s log';
comment on table inbox_from_1 is 'append-only: a part of the network''s log';

-- The last number of each epoch of each channel, for ever, whichever parts are away.
create table inbox_extent (
    origin text not null,
    channel text not null,
    epoch uuid not null,
    last_number bigint not null,
    primary key (origin, channel, epoch)
);
comment on table inbox_extent is 'append-only: kept by the trigger of inbox';
insert into inbox_extent
select origin, channel, epoch, max(number) from inbox group by origin, channel, epoch;

create function inbox_goes_on() returns trigger language plpgsql
security definer set search_path = public, pg_temp
as $$
declare
    run record;
begin
    for run in
        select
            origin, channel, epoch, min(number) as first, max(number) as last,
            count(*) as entries, count(distinct number) as numbers
        from fresh
        group by origin, channel, epoch
    loop
        if run.first = 1 then
            insert into inbox_extent values (run.origin, run.channel, run.epoch, run.last);
        else
            update inbox_extent
            set last_number = run.last
            where origin = run.origin and channel = run.channel and epoch = run.epoch
                and last_number = run.first - 1;
        end if;
        if not found or run.entries <> run.numbers or run.numbers <> run.last - run.first + 1 then
            raise exception using
                errcode = 'unique_violation',
                message = 'the numbers of a channel do not go on from those that are there';
        end if;
    end loop;
    return null;
end
$$;
create trigger inbox_goes_on after insert on inbox
referencing new table as fresh for each statement execute function inbox_goes_on();

-- The parts of the log. The last one is open: it has no last position. A part that is away lies in
-- a file with this hash.
create table inbox_part (
    name text primary key,                 -- the table
    first_position bigint not null unique,
    last_position bigint,
    month text,                            -- YYYY-MM, of the first event; null while it is open
    events bigint,
    received_from timestamptz,
    received_until timestamptz,
    away_since timestamptz,
    file_hash bytea
);
comment on table inbox_part is 'append-only: kept by the commands and the function of the log';
insert into inbox_part (name, first_position) values ('inbox_from_1', 1);

-- Close the open part when its month is over, and open the next; says which was closed. The lock is
-- that of the one writer of the inbox. Readers in the middle make it give up: it is tried again.
create function turn_inbox(month_zone text default 'Europe/Rome') returns text language plpgsql
security definer set search_path = public, pg_temp set lock_timeout = '100ms'
as $$
declare
    part inbox_part;
    told record;
    next_name text;
begin
    select * into strict part from inbox_part where last_position is null;
    select min(received_at) as since into told
    from (
        select received_at from inbox where position >= part.first_position
        order by position limit 1
    ) f;
    if told.since is null
        or date_trunc('month', told.since at time zone month_zone)
            >= date_trunc('month', clock_timestamp() at time zone month_zone) then
        return null;
    end if;
    perform pg_advisory_xact_lock(7203003);
    select * into strict part from inbox_part where last_position is null for update;
    select
        min(received_at) as since, max(received_at) as until, max(position) as last,
        count(*) as events
    into told
    from inbox where position >= part.first_position;
    if date_trunc('month', told.since at time zone month_zone)
        >= date_trunc('month', clock_timestamp() at time zone month_zone) then
        return null;                       -- somebody else was faster
    end if;
    next_name := format('inbox_from_%s', told.last + 1);
    execute format(
        'alter table %I add constraint part check (position >= %s and position <= %s)',
        part.name, part.first_position, told.last
    );
    execute format('alter table inbox detach partition %I', part.name);
    execute format(
        'alter table inbox attach partition %I for values from (%s) to (%s)',
        part.name, part.first_position, told.last + 1
    );
    execute format(
        'create table %I partition of inbox for values from (%s) to (maxvalue)',
        next_name, told.last + 1
    );
    execute format('comment on table %I is ''append-only: a part of the network''''s log''', next_name);
    update inbox_part
    set
        last_position = told.last,
        month = to_char(told.since at time zone month_zone, 'YYYY-MM'),
        events = told.events,
        received_from = told.since,
        received_until = told.until
    where name = part.name;
    insert into inbox_part (name, first_position) values (next_name, told.last + 1);
    return part.name;
end
$$;

create or replace view batch as
select
    split_part(origin, '.', 1) as organisation,
    split_part(origin, '.', 2) as service,
    position,
    type,
    type_version,
    occurred_at,
    stream_id,
    stream_version,
    event_id,
    data
from inbox
where position > current_setting('togheter.after')::bigint
    and position <= current_setting('togheter.upto')::bigint
    and split_part(origin, '.', 2) = split_part(type, '.', 1)
    and not repeated;
