-- A channel's epochs, ours and others': a new one begins where the one before still held.

create table feed_epoch (
    channel text not null references feed_channel,
    ordinal int not null,
    epoch uuid not null,
    after_number bigint not null default 0,   -- the last number of the epoch before that holds
    after_hash bytea not null default '',
    started_at timestamptz not null default clock_timestamp(),
    actor text not null default '',
    reason text not null default '',
    primary key (channel, ordinal),
    unique (channel, epoch)
);
insert into feed_epoch (channel, ordinal, epoch) select channel, 1, epoch from feed_channel;

-- Others say that they hold more of a channel than we do, or other bytes: we have lost something.
create table feed_dispute (
    channel text not null references feed_channel,
    requester text not null,
    epoch uuid not null,
    number bigint not null,                   -- the last that they hold
    common_number bigint not null,            -- the last of these that we hold with the same bytes
    told_at timestamptz not null default clock_timestamp(),
    resolved_at timestamptz,
    primary key (channel, requester)
);

alter table resend_request add column epoch uuid;     -- null: from the channel's first epoch on

-- When an origin began anew with a channel: what we hold behind `after_number` it has lost.
create table inbox_epoch (
    origin text not null,
    channel text not null,
    epoch uuid not null,
    before_epoch uuid not null,
    after_number bigint not null,
    orphaned bigint not null,
    began_at timestamptz not null default clock_timestamp(),
    primary key (origin, channel, epoch)
);

alter table inbox_channel
    add column signed_at timestamptz,         -- the time in the last signed head
    add column after_epoch uuid,
    add column after_number bigint not null default 0,
    add column after_hash bytea not null default '';

-- Told before, in the epoch before this one: kept for its chain, and not handled again.
alter table inbox add column repeated boolean not null default false;
