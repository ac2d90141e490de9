"""Doors, accesses and cases, as given / when / then."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID, uuid4

from togheter_intake.accesses import ACCESS, EnterInError, RecordAccess
from togheter_intake.case_commands import RecordNeeds
from togheter_intake.cases import CASE, case_of
from togheter_intake.doors import DOOR, OpenDoor
from togheter_shared.contracts.intake import (
    AccessEnteredInError,
    AccessKind,
    AccessRecorded,
    Area,
    CaseOpened,
    DoorOpened,
    NeedRecorded,
)
from togheter_shared.testing.scenario import given

TODAY = date(2026, 3, 2)
DOOR_ID, ACCESS_ID, PERSON_ID = uuid4(), uuid4(), uuid4()
CASE_ID = case_of(PERSON_ID)
OPENED = DoorOpened(door_id=DOOR_ID, name="Porta Sociale Centro", address="Via Pretoria")


def test_a_door_is_opened_with_its_name_on_one_line() -> None:
    command = OpenDoor(door_id=DOOR_ID, name=" Porta  Sociale\nCentro", address="Via Pretoria")
    given(DOOR).when(command).then([OPENED])


def test_a_door_is_opened_once() -> None:
    sentence = (
        given(DOOR, [OPENED]).when(OpenDoor(door_id=DOOR_ID, name="X")).refused("door_exists")
    )
    assert sentence == "Questa Porta Sociale è già aperta."


def test_a_door_needs_a_name_that_can_be_read() -> None:
    given(DOOR).when(OpenDoor(door_id=DOOR_ID, name=" - ")).refused("door_without_name", "name")
    given(DOOR).when(OpenDoor(door_id=DOOR_ID, name="a" * 201)).refused("too_long", "name")
    long = OpenDoor(door_id=DOOR_ID, name="a", address="b" * 201)
    given(DOOR).when(long).refused("too_long", "address")
    given(DOOR).when(OpenDoor(door_id=DOOR_ID, name="a\x07")).refused("not_text", "name")


ACCESS_COMMAND = RecordAccess(
    access_id=ACCESS_ID,
    door_id=DOOR_ID,
    on=TODAY,
    today=TODAY,
    kind=AccessKind.INFORMATION,
    topics=(Area.WORK, Area.HOUSING, Area.WORK),
    minutes=0,
)


def test_an_access_without_a_person_is_anonymous() -> None:
    recorded = AccessRecorded(
        access_id=ACCESS_ID,
        door_id=DOOR_ID,
        on=TODAY,
        kind=AccessKind.INFORMATION,
        topics=(Area.WORK, Area.HOUSING),
        minutes=0,
    )
    given(ACCESS).when(ACCESS_COMMAND).then([recorded])
    given(ACCESS, [recorded]).when(ACCESS_COMMAND).refused("access_exists")


def test_an_access_is_not_recorded_before_its_day() -> None:
    late = replace(ACCESS_COMMAND, on=TODAY + timedelta(days=1))
    given(ACCESS).when(late).refused("date_in_future", "on")


def test_the_minutes_of_an_access_fit_into_a_day() -> None:
    for minutes in (-1, 1441):
        given(ACCESS).when(replace(ACCESS_COMMAND, minutes=minutes)).refused(
            "minutes_impossible", "minutes"
        )


def test_an_access_entered_in_error_is_taken_back_once() -> None:
    recorded = AccessRecorded(
        access_id=ACCESS_ID, door_id=DOOR_ID, on=TODAY, kind=AccessKind.REQUEST, person_id=PERSON_ID
    )
    command = EnterInError(access_id=ACCESS_ID, on=TODAY)
    taken_back = AccessEnteredInError(access_id=ACCESS_ID, on=TODAY, person_id=PERSON_ID)
    given(ACCESS, [recorded]).when(command).then([taken_back])
    given(ACCESS, [recorded, taken_back]).when(command).then()
    given(ACCESS, [recorded, taken_back]).when(ACCESS_COMMAND).refused("access_exists")
    given(ACCESS).when(command).refused("access_unknown")


def needs(*areas: Area, access: UUID | None = None, on: date = TODAY) -> RecordNeeds:
    return RecordNeeds(
        case_id=CASE_ID,
        person_id=PERSON_ID,
        areas=areas,
        on=on,
        today=TODAY,
        door_id=DOOR_ID,
        access_id=access,
    )


def test_the_first_need_opens_the_case() -> None:
    events = CASE.decide(CASE.initial, needs(Area.WORK, Area.HEALTH, Area.WORK))
    assert [type(event) for event in events] == [CaseOpened, NeedRecorded, NeedRecorded]
    stated = [event for event in events if isinstance(event, NeedRecorded)]
    assert len({event.need_id for event in stated}) == 2


def test_a_need_stated_again_keeps_its_id() -> None:
    first = CASE.decide(CASE.initial, needs(Area.WORK, access=uuid4()))
    again = CASE.decide(CASE.fold(first), needs(Area.WORK, Area.LEGAL, access=uuid4()))
    [work] = [event for event in first if isinstance(event, NeedRecorded)]
    stated = {event.area: event.need_id for event in again if isinstance(event, NeedRecorded)}
    assert list(stated) == [Area.WORK, Area.LEGAL]
    assert stated[Area.WORK] == work.need_id != stated[Area.LEGAL]


def test_the_same_access_states_a_need_once() -> None:
    access = uuid4()
    first = CASE.decide(CASE.initial, needs(Area.WORK, access=access))
    given(CASE, first).when(needs(Area.WORK, access=access)).then()


def test_needs_without_an_area_or_of_tomorrow_are_refused() -> None:
    given(CASE).when(needs()).refused("no_needs", "areas")
    given(CASE).when(needs(Area.WORK, on=date(2026, 3, 3))).refused("date_in_future", "on")
