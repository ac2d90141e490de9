-- The views of the referral desk: what it sent, what it received, and what the network offers.

create table sent_referral (
    referral_id uuid primary key,
    position bigint not null unique,       -- of the request in the log: the order of the list
    person_id uuid not null,
    recipient text not null,
    area text not null,
    language text not null,
    age_band text not null,
    urgency text not null,
    edition_id uuid,
    requested_on date not null,
    answer_by date not null,
    state text not null,
    answered_on date,                      -- accepted or rejected
    disclosed_on date,
    started_on date,
    closed_on date,                        -- rejected, cancelled, completed or failed
    reason text,
    outcome text,
    updated_at timestamptz not null
);

create index sent_referral_state on sent_referral (state, position);
create index sent_referral_recipient on sent_referral (recipient, position);
create index sent_referral_person on sent_referral (person_id, position);

create table received_referral (
    referral_id uuid primary key,
    position bigint not null unique,
    sender text not null,
    area text not null,
    language text not null,
    age_band text not null,
    urgency text not null,
    edition_id uuid,
    requested_on date not null,
    answer_by date not null,
    state text not null,
    answered_on date,
    disclosed_on date,                     -- when the identity arrived
    started_on date,
    closed_on date,
    reason text,
    explanation text not null default '',
    outcome text,
    given_name text not null default '',   -- the identity, after disclosure
    family_name text not null default '',
    native_name text not null default '',
    birth_year int,
    phone text,
    updated_at timestamptz not null
);

create index received_referral_state on received_referral (state, position);
create index received_referral_sender on received_referral (sender, position);

-- The directory: editions that any organisation has opened, as its courses service told it.
create table offer (
    organisation text not null,
    edition_id uuid not null,
    position bigint not null unique,       -- in the inbox: the order of the list
    title text not null,
    level text not null,
    places int not null,
    starts_on date not null,
    ends_on date not null,
    threshold int not null,
    evening boolean not null,
    childcare boolean not null,
    women_only boolean not null,
    primary key (organisation, edition_id)
);
