"""Whatever people do, in whatever order: no place is given twice, and nobody is passed over."""

from datetime import date, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from togheter_courses.commands import (
    AcceptOffer,
    Command,
    DeclineOffer,
    ExpireOffers,
    OpenEdition,
    RequestEnrolment,
    WithdrawEnrolment,
)
from togheter_courses.editions import EDITION
from togheter_courses.roster import Edition, Standing
from togheter_shared.contracts.courses import Level, PlaceOffered
from togheter_shared.contracts.intake import PersonName
from togheter_shared.decider import Rejected

E = UUID(int=1)
DAY = date(2026, 3, 2)
PEOPLE = 12

asked = st.tuples(
    st.sampled_from(["ask", "withdraw", "accept", "decline", "expire"]),
    st.integers(1, PEOPLE),
    st.integers(0, 2),
)


def command(kind: str, number: int, on: date) -> Command:
    who = UUID(int=number)
    match kind:
        case "ask":
            return RequestEnrolment(enrolment_id=who, on=on, name=PersonName(given="A"))
        case "withdraw":
            return WithdrawEnrolment(enrolment_id=who, on=on)
        case "accept":
            return AcceptOffer(enrolment_id=who, on=on)
        case "decline":
            return DeclineOffer(enrolment_id=who, on=on)
        case _:
            return ExpireOffers(on=on)


def run(state: Edition, asked: Command) -> tuple[Edition, list[object]]:
    try:
        events = EDITION.decide(state, asked)
    except Rejected:
        return state, []
    return EDITION.fold(events, state), events


@given(places=st.integers(1, 4), steps=st.lists(asked, max_size=60))
def test_places_are_never_given_twice_and_the_waitlist_is_kept_in_order(
    places: int, steps: list[tuple[str, int, int]]
) -> None:
    state, _ = run(
        Edition(),
        OpenEdition(
            edition_id=E,
            title="Italiano A1",
            level=Level.A1,
            places=places,
            starts_on=DAY,
            ends_on=DAY,
        ),
    )
    on = DAY
    for kind, number, days in steps:
        on += timedelta(days=days)
        before = [found.enrolment_id for found in state.waitlist]
        state, events = run(state, command(kind, number, on))

        assert state.taken <= places, "more places taken than there are"
        assert state.free == 0 or not state.waitlist, "a place is free while somebody waits"
        offers = [event.enrolment_id for event in events if isinstance(event, PlaceOffered)]
        waiting = [found for found in before if _has_not_left(state, found)]
        assert offers == waiting[: len(offers)], "somebody was passed over"
        after = [found.enrolment_id for found in state.waitlist]
        kept = [found for found in before if found in after]
        assert after[: len(kept)] == kept, "the order of the waitlist changed"


def _has_not_left(state: Edition, enrolment_id: UUID) -> bool:
    return state.enrolments[enrolment_id].standing is not Standing.WITHDRAWN
