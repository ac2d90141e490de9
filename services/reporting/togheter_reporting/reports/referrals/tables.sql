-- What the sender says.
create table request (
    organisation text not null,            -- the sender
    referral_id uuid not null,
    recipient text not null,
    area text not null,
    requested_on date not null,
    answer_by date not null,
    stream_version int not null,
    event_id uuid not null,
    primary key (organisation, referral_id)
);

create table cancellation (
    organisation text not null,            -- the sender
    referral_id uuid not null,
    primary key (organisation, referral_id)
);

-- What somebody says in answer. It counts only when they are the recipient: the query sees to it,
-- because an answer may come before the request.
create table answer (
    organisation text not null,            -- who answers
    sender text not null,
    referral_id uuid not null,
    kind text not null,
    answered_on date not null,             -- the earliest
    primary key (organisation, sender, referral_id, kind)
);
