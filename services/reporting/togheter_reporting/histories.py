"""Random histories of a network, told through the contracts: for tests and for measurements."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.types.json import Jsonb

from togheter_reporting.afterthoughts import correction, error, title
from togheter_shared.contracts import courses, intake, referrals, strictjson
from togheter_shared.contracts.all import EVERY
from togheter_shared.contracts.contract import split
from togheter_shared.contracts.fields import FieldClass

INTAKES = ("comune", "ponte")
SCHOOL = "scuola"
START = date(2026, 1, 1)
COUNTRIES = ("NGA", "UKR", "BGD", "MAR", "AFG", "VEN", "XXA")
ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    10**18,
    "",
    "2024-02-30",
    "2023-02-29",
    "2024-02-29",
    "0000-01-01",
    "2024-W01-1",
    "20240101",
    "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}",
    "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    "6BA7B810-9DAD-11D1-80B4-00C04FD430C8",
    "=1+1",
    "ℕ\u202e",
    [],
    ["work", 3, None, ["legal"], "work"],
    {},
    {"presence": "present", "enrolment_id": "6ba7b810-9dad-11d1-80b4-00c04fd430c8"},
)


@dataclass(frozen=True, kw_only=True)
class Told:
    """An event as its origin tells it in the channel `reporting`."""

    origin: str
    stream_id: UUID
    stream_version: int
    event_id: UUID
    type: str
    type_version: int
    data: dict[str, Any]


@dataclass
class History:
    """A history in the making: streams of origins, in the order in which they were begun.

    `hostile`: among the events are some that are broken, forged, or of unknown types and versions.
    """

    random: Random
    hostile: bool = False
    streams: dict[str, list[list[Told]]] = field(default_factory=dict)

    def uuid(self) -> UUID:
        return UUID(int=self.random.getrandbits(128), version=4)

    def day(self, most: int = 300) -> date:
        return START + timedelta(days=self.random.randrange(most))

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def tell(self, origin: str, stream_id: UUID, *events: Any) -> None:
        """One stream of an origin, whole."""
        told: list[Told] = []
        for event in events:
            contract = EVERY.of(event)
            data = split(event, contract)[FieldClass.OPEN]
            told.append(self._told(origin, stream_id, told, contract.type, data))
            if self.hostile and self.chance(0.1):
                told.append(self._odd(origin, stream_id, told, contract.type, data))
        self.streams.setdefault(origin, []).append(told)

    def _told(
        self, origin: str, stream_id: UUID, before: list[Told], type_: str, data: dict[str, Any]
    ) -> Told:
        return Told(
            origin=origin,
            stream_id=stream_id,
            stream_version=len(before) + 1,
            event_id=self.uuid(),
            type=type_,
            type_version=1,
            data=data,
        )

    def _odd(
        self, origin: str, stream_id: UUID, before: list[Told], type_: str, data: dict[str, Any]
    ) -> Told:
        told = self._told(origin, stream_id, before, type_, dict(data))
        match self.random.randrange(4):
            case 0:
                told.data[self.random.choice(sorted(data))] = self.random.choice(ODD)
            case 1:
                told.data.pop(self.random.choice(sorted(data)))
            case 2:
                return Told(**{**vars(told), "type_version": 2})
            case 3:
                return Told(**{**vars(told), "type": f"{type_}_elsewhere"})
        return told


def history(seed: int, size: int = 60, *, hostile: bool = False) -> History:
    """A history of about `size` persons; the same seed gives the same one."""
    made = History(Random(seed), hostile)
    people = [
        (organisation, person)
        for organisation in INTAKES
        for person in _intake(made, organisation, size // 2)
    ]
    edition = _courses(made, size // 3)
    for _ in range(size // 2):
        _referral(made, made.random.choice(people), edition)
    if hostile:
        _forge(made)
    return made


def interleave(made: History, seed: int) -> list[Told]:
    """The log that a receiver could have: each origin in one order, the origins mixed at random."""
    lines = {
        origin: list(_merge(Random(f"{origin}"), streams))
        for origin, streams in sorted(made.streams.items())
    }
    return list(_merge(Random(seed), list(lines.values())))


def store(conn: Connection, told: Iterable[Told]) -> int:
    """Write events into the inbox, after those that are there; returns how many."""
    numbers = {
        origin: int(last)
        for origin, last in conn.execute(
            "select origin, max(number) from inbox where channel = 'reporting' group by origin"
        ).fetchall()
    }
    written = 0
    with (
        conn.transaction(),
        conn.cursor() as cursor,
        cursor.copy(
            "copy inbox (origin, channel, epoch, number, entry, hash, event_id, type,"
            " type_version, occurred_at, stream_id, stream_version, data) from stdin"
        ) as copy,
    ):
        for event in told:
            numbers[event.origin] = numbers.get(event.origin, 0) + 1
            entry = strictjson.canonical(event.data)
            copy.write_row(
                (
                    event.origin,
                    "reporting",
                    UUID(int=1),
                    numbers[event.origin],
                    entry,
                    hashlib.sha256(entry).digest(),
                    event.event_id,
                    event.type,
                    event.type_version,
                    datetime(2026, 11, 1, tzinfo=UTC),
                    event.stream_id,
                    event.stream_version,
                    Jsonb(event.data, dumps=strictjson.canonical),
                )
            )
            written += 1
    return written


def _merge(random: Random, lines: list[list[Told]]) -> Iterator[Told]:
    """All lines in one, each in its own order: a shuffle of turns."""
    turns = [index for index, line in enumerate(lines) for _ in line]
    random.shuffle(turns)
    places = [iter(line) for line in lines]
    for turn in turns:
        yield next(places[turn])


def _intake(made: History, organisation: str, size: int) -> list[UUID]:
    origin = f"{organisation}.intake"
    doors = [made.uuid() for _ in range(3)]
    for door in doors[: 3 if made.chance(0.5) else 2]:  # a door may be told of late, or never
        names = [f"Porta {made.random.randrange(9)}" for _ in range(made.random.randint(1, 2))]
        made.tell(origin, door, *(intake.DoorOpened(door_id=door, name=name) for name in names))
    people = [made.uuid() for _ in range(size)]
    for person in people:
        made.tell(origin, person, *_registration(made, person, doors))
        for _ in range(made.random.randrange(4)):
            _access(made, origin, doors, person)
    for _ in range(size):
        _access(made, origin, doors, None)
    for _ in range(size // 4):
        first = made.random.randrange(size - 4)
        one, other = made.random.sample(people[first : first + 4], 2)
        made.tell(origin, made.uuid(), *_decisions(made, one, other))
    return people


def _registration(made: History, person: UUID, doors: list[UUID]) -> Iterator[Any]:
    random = made.random
    yield intake.PersonRegistered(
        person_id=person,
        on=made.day(),
        door_id=random.choice(doors),
        sex=random.choice(list(intake.Sex)),
        age=None if made.chance(0.2) else random.randrange(90),
        citizenships=tuple(random.choices(COUNTRIES, k=random.choice((0, 1, 1, 1, 2)))),
    )
    yield from title(made, person)
    yield from correction(made, person, COUNTRIES)
    case, needs = made.uuid(), [(made.uuid(), random.choice(list(intake.Area))) for _ in range(3)]
    if made.chance(0.7):
        yield intake.CaseOpened(case_id=case, person_id=person, on=made.day())
        for need, area in random.choices(needs, k=random.randrange(5)):
            yield intake.NeedRecorded(
                case_id=case, person_id=person, need_id=need, area=area, on=made.day()
            )


def _access(made: History, origin: str, doors: list[UUID], person: UUID | None) -> None:
    access = made.uuid()
    events = [
        intake.AccessRecorded(
            access_id=access,
            door_id=made.random.choice(doors),
            on=made.day(),
            kind=made.random.choice(list(intake.AccessKind)),
            topics=tuple(made.random.choices(list(intake.Area), k=made.random.randrange(4))),
            person_id=person,
        )
        for _ in range(2 if made.chance(0.05) else 1)
    ]
    made.tell(origin, access, *events, *error(made, access, person))


def _decisions(made: History, one: UUID, other: UUID) -> Iterator[Any]:
    for _ in range(made.random.randint(1, 3)):
        pair = made.random.sample((one, other), 2)
        yield intake.DuplicateDecided(
            person_id=pair[0],
            other_id=pair[1],
            decision=made.random.choice((*intake.DuplicateDecision, intake.DuplicateDecision.SAME)),
        )


def _referral(made: History, whom: tuple[str, UUID], edition: UUID) -> None:
    sender, person = whom
    referral, on = made.uuid(), made.day()
    recipient = SCHOOL if made.chance(0.7) else made.random.choice(INTAKES)
    asked = referrals.ReferralRequested(
        referral_id=referral,
        person_id=person,
        recipient=recipient,
        area=made.random.choice(list(intake.Area)),
        requested_on=on,
        answer_by=on + timedelta(days=2),
        language="it",
        edition_id=edition,
        consent=referrals.Consent(given_on=on, given_by="person", language="it", text_version="1"),
        identity=referrals.Identity(name=intake.PersonName(given="X")),
    )
    cancelled = referrals.ReferralCancelled(
        referral_id=referral,
        recipient=recipient,
        on=on,
        reason=referrals.CancellationReason.MISTAKE,
    )
    stream = [asked, cancelled] if made.chance(0.1) else [asked]
    made.tell(f"{sender}.referrals", referral, *stream)
    if made.chance(0.85):
        answers = list(_answers(made, referral, sender, on))
        made.tell(f"{recipient}.referrals", made.uuid(), *answers)
    if made.hostile and made.chance(0.3):  # somebody else answers in the recipient's place
        made.tell("estraneo.referrals", made.uuid(), *_answers(made, referral, sender, on))


def _answers(made: History, referral: UUID, sender: str, on: date) -> Iterator[Any]:
    later = on + timedelta(days=made.random.randrange(6))
    if made.chance(0.2):
        reason = made.random.choice(list(referrals.RejectionReason))
        yield referrals.ReferralRejected(
            referral_id=referral, sender=sender, on=later, reason=reason
        )
        return
    yield referrals.ReferralAccepted(referral_id=referral, sender=sender, on=later)
    if made.chance(0.7):
        yield referrals.ReferralStarted(referral_id=referral, sender=sender, on=later)
        if made.chance(0.5):
            outcome = made.random.choice(list(referrals.Outcome))
            yield referrals.ReferralCompleted(
                referral_id=referral, sender=sender, on=later, outcome=outcome
            )
        elif made.chance(0.3):
            yield referrals.ReferralFailed(
                referral_id=referral,
                sender=sender,
                on=later,
                reason=referrals.FailureReason.NO_SHOW,
            )


def _courses(made: History, size: int) -> UUID:
    edition = made.uuid()
    for _ in range(1 + size // 40):
        edition = made.uuid()
        made.tell(f"{SCHOOL}.courses", edition, *_edition(made, edition, min(size, 40)))
    return edition


def _edition(made: History, edition: UUID, size: int) -> Iterator[Any]:
    random = made.random
    levels = list(courses.Level)
    yield courses.EditionOpened(
        edition_id=edition,
        title=f"Italiano {random.randrange(99)}",
        level=random.choice(levels),
        places=max(1, size // 2),
        starts_on=START,
        ends_on=START + timedelta(days=90),
    )
    people = [made.uuid() for _ in range(size)]
    placed = []
    for number, person in enumerate(people):
        about: dict[str, Any] = {"edition_id": edition, "enrolment_id": person, "on": made.day()}
        yield courses.EnrolmentRequested(**about)
        if number < size // 2:
            yield courses.EnrolmentConfirmed(**about)
            placed.append(person)
            continue
        yield courses.EnrolmentWaitlisted(**about)
        if made.chance(0.3):
            yield courses.PlaceOffered(**about, expires_on=made.day())
            if made.chance(0.5):
                yield courses.EnrolmentConfirmed(**about)
                placed.append(person)
            else:
                yield courses.EnrolmentWithdrawn(**about)
    for person in placed:
        level = random.choice(levels[:4])
        yield courses.EntryLevelTested(
            edition_id=edition, enrolment_id=person, on=START, level=level
        )
    lessons = [made.uuid() for _ in range(5)]
    presences = list(courses.Presence)
    for lesson in lessons:
        attendance = tuple(
            courses.Attendance(enrolment_id=person, presence=random.choice(presences))
            for person in placed
        )
        which: dict[str, Any] = {"edition_id": edition, "lesson_id": lesson}
        yield courses.LessonScheduled(**which, on=START, minutes=120)
        yield courses.LessonHeld(**which, on=START, attendance=attendance)
        if placed and made.chance(0.5):
            entry = courses.Attendance(
                enrolment_id=random.choice(placed), presence=random.choice(presences)
            )
            yield courses.AttendanceCorrected(**which, on=START, entry=entry)
    for person in placed:
        yield from _ending(made, edition, person)
    yield courses.EditionClosed(edition_id=edition, on=START)


def _ending(made: History, edition: UUID, person: UUID) -> Iterator[Any]:
    about: dict[str, Any] = {"edition_id": edition, "enrolment_id": person, "on": made.day()}
    if made.chance(0.2):
        yield courses.EnrolmentDropped(**about, reason=courses.DropReason.WORK)
        return
    levels = list(courses.Level)
    leaving = made.random.choice((None, *levels[:5]))
    passed = leaving is not None
    yield courses.FinalTestRecorded(**about, level=leaving, passed=passed)
    entry = made.random.choice((None, *levels[:4]))
    yield courses.EnrolmentCompleted(
        **about,
        lessons_held=5,
        lessons_attended=made.random.randrange(6),
        certified=passed,
        entry_level=entry,
        exit_level=leaving,
    )
    kind = courses.CertificateKind.LEVEL if passed else courses.CertificateKind.ATTENDANCE
    yield courses.CertificateIssued(**about, kind=kind, level=leaving, code="X")


def _forge(made: History) -> None:
    """Another organisation tells of the same ids, and a service tells what is not its to tell."""
    for origin, streams in list(made.streams.items()):
        organisation, service = origin.split(".")
        for stream in made.random.sample(streams, k=max(1, len(streams) // 10)):
            copied = [
                Told(**{**vars(told), "origin": f"estraneo.{service}", "event_id": made.uuid()})
                for told in stream
            ]
            made.streams.setdefault(f"estraneo.{service}", []).append(copied)
            wrong = "referrals" if service == "intake" else "intake"
            misplaced = [
                Told(**{**vars(told), "origin": f"{organisation}.{wrong}", "event_id": made.uuid()})
                for told in stream
            ]
            made.streams.setdefault(f"{organisation}.{wrong}", []).append(misplaced)
