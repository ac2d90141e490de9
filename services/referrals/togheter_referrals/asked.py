"""What a recipient reads of a request: the contract without what never leaves its sender.

`ReferralRequested` promises a consent and an identity, which stay with the sender. A reader of the
feed has the open fields only, so it reads them as a type of its own.
"""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from togheter_shared.contracts import courses, referrals
from togheter_shared.contracts.contract import Audience, Contract, registry
from togheter_shared.contracts.fields import Code
from togheter_shared.contracts.intake import Area
from togheter_shared.contracts.referrals import AgeBand, ReferralRequested, Urgency


@dataclass(frozen=True, kw_only=True)
class ReferralAsked:
    """The open fields of `referrals.referral_requested`."""

    referral_id: UUID
    person_id: UUID
    recipient: Code
    area: Area
    requested_on: date
    answer_by: date
    language: Code
    age_band: AgeBand = AgeBand.UNKNOWN
    urgency: Urgency = Urgency.ROUTINE
    edition_id: UUID | None = None


ASKED = Contract(
    event=ReferralAsked,
    type="referrals.referral_requested",
    audience=(Audience.RECIPIENT,),
    recipient="recipient",
    subject="person_id",
)

READS = registry(
    (contract for contract in referrals.CONTRACTS if contract.event is not ReferralRequested),
    (ASKED,),
    courses.CONTRACTS,
)
