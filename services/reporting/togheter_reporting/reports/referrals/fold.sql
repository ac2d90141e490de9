insert into request as t (
    organisation, referral_id, recipient, area, requested_on, answer_by, stream_version, event_id
)
select distinct on (organisation, referral_id) *
from (
    select
        organisation,
        as_uuid(data ->> 'referral_id') as referral_id,
        as_text(data -> 'recipient') as recipient,
        as_text(data -> 'area') as area,
        as_date(data ->> 'requested_on') as requested_on,
        as_date(data ->> 'answer_by') as answer_by,
        stream_version,
        event_id
    from batch
    where type = 'referrals.referral_requested' and type_version = 1
) e
where referral_id is not null
    and recipient is not null
    and area is not null
    and requested_on is not null
    and answer_by is not null
order by organisation, referral_id, stream_version desc, event_id desc
on conflict (organisation, referral_id) do update
set (recipient, area, requested_on, answer_by, stream_version, event_id) = (
    excluded.recipient, excluded.area, excluded.requested_on, excluded.answer_by,
    excluded.stream_version, excluded.event_id
)
where (excluded.stream_version, excluded.event_id) > (t.stream_version, t.event_id);

insert into cancellation (organisation, referral_id)
select distinct organisation, as_uuid(data ->> 'referral_id')
from batch
where type = 'referrals.referral_cancelled'
    and type_version = 1
    and as_uuid(data ->> 'referral_id') is not null
on conflict do nothing;

insert into answer as t (organisation, sender, referral_id, kind, answered_on)
select organisation, sender, referral_id, kind, min(answered_on)
from (
    select
        organisation,
        as_text(data -> 'sender') as sender,
        as_uuid(data ->> 'referral_id') as referral_id,
        told.kind,
        as_date(data ->> 'on') as answered_on
    from batch
        join (
            values
                ('referrals.referral_accepted', 'accepted'),
                ('referrals.referral_rejected', 'rejected'),
                ('referrals.referral_started', 'in_progress'),
                ('referrals.referral_completed', 'completed'),
                ('referrals.referral_failed', 'failed')
        ) as told (type, kind) using (type)
    where type_version = 1
) e
where sender is not null and referral_id is not null and answered_on is not null
group by organisation, sender, referral_id, kind
on conflict (organisation, sender, referral_id, kind) do update
set answered_on = excluded.answered_on
where excluded.answered_on < t.answered_on;
