with told as (
    select
        organisation,
        sender,
        referral_id,
        min(answered_on) as answered_on,
        array_agg(kind) as kinds
    from answer
    group by organisation, sender, referral_id
), referral as (
    select
        r.organisation as sender,
        r.recipient,
        r.area,
        case
            when 'completed' = any(t.kinds) then 'completed'
            when 'failed' = any(t.kinds) then 'failed'
            when 'rejected' = any(t.kinds) then 'rejected'
            when c.referral_id is not null then 'cancelled'
            when 'in_progress' = any(t.kinds) then 'in_progress'
            when 'accepted' = any(t.kinds) then 'accepted'
            else 'requested'
        end as state,
        t.answered_on <= r.answer_by as in_time,
        t.answered_on - r.requested_on as days
    from request r
        left join told t
            on t.organisation = r.recipient
            and t.sender = r.organisation
            and t.referral_id = r.referral_id
        left join cancellation c
            on c.organisation = r.organisation and c.referral_id = r.referral_id
)
select
    sender,
    recipient,
    area,
    state,
    count(*) as referrals,
    count(days) as answered,
    count(*) filter (where in_time) as answered_in_time,
    percentile_cont(0.5) within group (order by days) as median_days
from referral
group by sender, recipient, area, state
