"""What other services' events call for: a place that the own referral desk seeks."""

from uuid import UUID, uuid5

from togheter_courses.commands import RequestEnrolment
from togheter_courses.editions import EDITION
from togheter_shared.contracts.referrals import PlaceSought
from togheter_shared.log.service import Reaction, Received

BIRTH_YEARS = range(1850, 2200)


def enrolment_of(referral_id: UUID, edition_id: UUID) -> UUID:
    """The enrolment of a referral in an edition: asked again, it is the same one."""
    return uuid5(referral_id, f"enrolment:{edition_id}")


def seek_place(received: Received) -> list[Reaction]:
    """Ask for the place, when the own organisation's referral desk says so and nobody else."""
    sought: PlaceSought = received.event
    if not received.own or received.service != "referrals":
        return []
    year = sought.identity.birth_year
    command = RequestEnrolment(
        enrolment_id=enrolment_of(sought.referral_id, sought.edition_id),
        on=sought.on,
        name=sought.identity.name,
        phone=sought.identity.phone,
        birth_year=year if year in BIRTH_YEARS else None,
        referral_id=sought.referral_id,
    )
    return [Reaction(decider=EDITION, stream_id=sought.edition_id, command=command)]
