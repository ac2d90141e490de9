"""The whole loop between two organisations on real databases, without a broker in between."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from togheter_referrals import interface
from togheter_referrals.interface import ReceivedReferral, SentReferral
from togheter_referrals.received import (
    RECEIVED,
    AcceptReferral,
    CompleteReferral,
    FailReferral,
    RejectReferral,
    StartReferral,
)
from togheter_referrals.sent import SENT, CancelReferral, RequestReferral
from togheter_referrals.service import SERVICE
from togheter_referrals.states import State
from togheter_shared.contracts import courses
from togheter_shared.contracts.contract import registry
from togheter_shared.contracts.courses import (
    EditionOpened,
    EnrolmentCompleted,
    EnrolmentConfirmed,
    EnrolmentWithdrawn,
    Level,
)
from togheter_shared.contracts.intake import Area, PersonName
from togheter_shared.contracts.referrals import (
    AgeBand,
    CancellationReason,
    Consent,
    FailureReason,
    Identity,
    Outcome,
    ReferralAccepted,
    RejectionReason,
)
from togheter_shared.log import outbox
from togheter_shared.log.erase import erase_subject
from togheter_shared.log.feed import number_pending
from togheter_shared.log.follow import follow
from togheter_shared.log.inbox import Delivery, Receiver
from togheter_shared.log.network import Network, Organisation, SigningKey
from togheter_shared.log.sealing import open_box, seal_for
from togheter_shared.log.service import Service
from togheter_shared.log.store import Context, append, execute, load
from togheter_shared.privacy.keys import generate_keys
from togheter_shared.run.migrate import migrate
from togheter_shared.testing.databases import (
    ServiceDatabase,
    drop_database,
    ensure_database,
)
from togheter_shared.testing.servers import Postgres
from togheter_shared.testing.signing import SIGNER, verify

MONDAY, TUESDAY, WEDNESDAY = (date(2026, 3, day) for day in (2, 3, 4))
IDENTITY = Identity(
    name=PersonName(given="Amina", family="O'Canary", native="أمينة"),
    birth_year=1994,
    phone="+393401234567",
)
CONSENT = Consent(given_on=MONDAY, given_by="person", language="ar", text_version="2026-1")
ME = Context(actor="test", correlation_id=uuid4())
COURSES = Service(
    name="courses", writes=registry(courses.CONTRACTS), packages=("togheter_shared.log",)
)
ORGANISATIONS = ("ponte", "scuola", "terza")


@dataclass
class Desk:
    """A service of an organisation with its database, and what it has published so far."""

    organisation: str
    service: Service
    conn: psycopg.Connection
    network: "World"
    published: dict[str, int] = field(default_factory=dict)

    @property
    def channels(self) -> frozenset[str]:
        names = {"to": f"to.{self.organisation}"}
        return frozenset(names.get(name, name) for name in self.service.subscriptions)

    def open(self, event_id: UUID, type_: str, box: bytes) -> dict[str, object]:
        key = self.network.private[self.organisation]
        return open_box(key, self.organisation, event_id, type_, box)

    def tell(self, stream_id: UUID, *events: Any) -> None:
        """Record events as they are: an organisation may run any software it likes."""
        row = self.conn.execute(
            "select version from stream where stream_id = %s", [stream_id]
        ).fetchone()
        append(self.conn, self.service.writes, "any", stream_id, row[0] if row else 0, events, ME)

    def number(self) -> None:
        def seal(recipient: str, event_id: UUID, contract: Any, part: dict[str, Any]) -> bytes:
            return seal_for(self.network.network, recipient, event_id, contract, part)

        number_pending(self.conn, self.service.writes, self.organisation, self.service.name, seal)

    def deliveries(self) -> list[tuple[str, Delivery]]:
        """What was not published yet, with its channel."""
        found = []
        for channel, _ in outbox.behind(self.conn):
            for run in outbox.runs(self.conn, channel, self.published.get(channel, 0)):
                key = f"{self.organisation}.{self.service.name}.{channel}"
                found.append(
                    (
                        channel,
                        Delivery(
                            routing_key=key,
                            user=self.organisation,
                            body=run.body(f"{self.organisation}.{self.service.name}", SIGNER),
                        ),
                    )
                )
                self.published[channel] = run.last
        return found

    def take(self, delivery: Delivery) -> None:
        reader = Receiver(self.organisation, self.channels, self.service.reads, self.open, verify)
        taken = reader.take(self.conn, delivery)
        assert taken.quarantined is None and taken.ask_from is None

    def follow(self) -> None:
        while follow(self.conn, self.service, self.organisation, self.open):
            pass

    def log(self) -> list[str]:
        rows = self.conn.execute("select type from event_log order by position").fetchall()
        return [row[0].removeprefix("referrals.") for row in rows]

    def refused(self) -> list[str]:
        rows = self.conn.execute("select code from refused_reaction order by code").fetchall()
        return [row[0] for row in rows]

    def sent(self, referral_id: UUID) -> SentReferral:
        found = interface.one_sent(self.conn, referral_id)
        assert found is not None
        return found

    def received(self, referral_id: UUID) -> ReceivedReferral:
        found = interface.one_received(self.conn, referral_id)
        assert found is not None
        return found


@dataclass
class World:
    """Three referral desks, and the courses service of the school."""

    network: Network
    private: dict[str, str]
    desks: dict[str, Desk] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Desk:
        return self.desks[name]

    def settle(self, *, hold: str | None = None) -> None:
        """Carry every message to whoever reads it, twice, until nobody has more to say.

        `hold` is a desk whose mail does not go out for now.
        """
        quiet = 0
        while quiet < 2:
            carried = 0
            for desk in self.desks.values():
                desk.number()
                for channel, delivery in desk.deliveries() if hold != _name(desk) else ():
                    for reader in self.desks.values():
                        if channel in reader.channels and reader is not desk:
                            reader.take(delivery)
                            reader.take(delivery)
                            carried += 1
            for desk in self.desks.values():
                desk.follow()
            quiet = 0 if carried else quiet + 1


def _name(desk: Desk) -> str:
    return next(name for name, found in desk.network.desks.items() if found is desk)


PLACES = {
    "ponte": ("ponte", SERVICE),
    "scuola": ("scuola", SERVICE),
    "terza": ("terza", SERVICE),
    "courses": ("scuola", COURSES),
}
EMPTIED = (
    "do $$ begin execute (select 'truncate ' || string_agg(quote_ident(tablename), ', ')"
    " || ' restart identity' from pg_tables where schemaname = 'public'"
    " and tablename <> 'migration'); end $$"
)


@pytest.fixture(scope="module")
def keys() -> dict[str, dict[str, str]]:
    return {name: generate_keys() for name in ORGANISATIONS}


@pytest.fixture(scope="module")
def stores(postgres: Postgres) -> Iterator[dict[str, ServiceDatabase]]:
    """A database for each place, made once; each test empties them."""
    made = {}
    with postgres.connect() as conn:
        for place, (_, service) in PLACES.items():
            name = f"togheter_test_{secrets.token_hex(6)}"
            made[place] = ensure_database(conn, postgres.admin_url, name, "test", "test")
            with psycopg.connect(made[place].owner_url, autocommit=True) as owner:
                migrate(owner, list(service.packages), name)
        yield made
        for store in made.values():
            drop_database(conn, store.name)


@pytest.fixture
def world(stores: dict[str, ServiceDatabase], keys: dict[str, dict[str, str]]) -> Iterator[World]:
    network = Network(
        tuple(
            Organisation(
                id=name,
                name=name.title(),
                services=("referrals", "courses"),
                reporting=False,
                seal_key=keys[name]["seal_public"],
                sign_keys=(SigningKey(key=keys[name]["sign_public"]),),
            )
            for name in ORGANISATIONS
        )
    )
    found = World(network, {name: keys[name]["seal_private"] for name in ORGANISATIONS})
    with ExitStack() as stack:
        for place, (organisation, service) in PLACES.items():
            with psycopg.connect(stores[place].owner_url, autocommit=True) as owner:
                owner.execute(EMPTIED)
            conn = stack.enter_context(psycopg.connect(stores[place].url, autocommit=True))
            found.desks[place] = Desk(organisation, service, conn, found)
        yield found


def request(world: World, **changes: Any) -> UUID:
    values: dict[str, Any] = {
        "referral_id": uuid4(),
        "person_id": uuid4(),
        "sender": "ponte",
        "recipient": "scuola",
        "area": Area.LANGUAGE,
        "requested_on": MONDAY,
        "today": MONDAY,
        "language": "ar",
        "age_band": AgeBand.FROM_30_TO_64,
        "consent": CONSENT,
        "identity": IDENTITY,
    }
    command = RequestReferral(**values | changes)
    execute(world["ponte"].conn, SERVICE, SENT, command.referral_id, command, ME)
    return command.referral_id


def at_school(world: World, referral_id: UUID, command: Any) -> None:
    execute(world["scuola"].conn, SERVICE, RECEIVED, referral_id, command, ME)


ACCEPT = AcceptReferral(on=TUESDAY, today=TUESDAY)
CANCEL = CancelReferral(on=TUESDAY, today=TUESDAY, reason=CancellationReason.CONSENT_WITHDRAWN)
START = StartReferral(on=TUESDAY, today=WEDNESDAY)
COMPLETE = CompleteReferral(on=WEDNESDAY, today=WEDNESDAY, outcome=Outcome.NEED_MET)


def test_the_loop_closes_with_every_message_delivered_twice(world: World) -> None:
    ponte, scuola = world["ponte"], world["scuola"]
    referral = request(world)
    world.settle()
    arrived = scuola.received(referral)
    assert (arrived.state, arrived.sender, arrived.identity) == (State.REQUESTED, "ponte", None)
    assert arrived.answer_by == WEDNESDAY

    at_school(world, referral, ACCEPT)
    assert scuola.received(referral).identity is None
    world.settle()
    assert ponte.sent(referral).state is State.ACCEPTED
    assert ponte.sent(referral).disclosed_on is not None
    assert scuola.received(referral).identity == IDENTITY

    at_school(world, referral, START)
    at_school(world, referral, COMPLETE)
    world.settle()
    closed = ponte.sent(referral)
    assert (closed.state, closed.outcome) == (State.COMPLETED, Outcome.NEED_MET)
    assert (closed.answered_on, closed.started_on, closed.closed_on) == (
        TUESDAY,
        TUESDAY,
        WEDNESDAY,
    )
    assert ponte.log() == [
        "referral_requested",
        "answer_received",
        "identity_disclosed",
        "answer_received",
        "answer_received",
    ]
    assert scuola.log() == [
        "referral_received",
        "referral_accepted",
        "identity_received",
        "referral_started",
        "referral_completed",
    ]
    assert ponte.refused() == scuola.refused() == []


def test_no_name_leaves_in_the_clear_and_none_at_all_before_acceptance(world: World) -> None:
    ponte = world["ponte"]
    referral = request(world)
    world.settle()
    assert not _boxes(ponte)
    at_school(world, referral, ACCEPT)
    world.settle()
    assert len(_boxes(ponte)) == 1
    entries = b"".join(
        bytes(row[0]) for row in ponte.conn.execute("select entry from feed").fetchall()
    )
    for secret in ("Amina", "Canary", "أمينة", "3401234567", "text_version"):
        assert secret.encode() not in entries
    assert world["terza"].conn.execute("select count(*) from inbox").fetchone() == (0,)


def _boxes(desk: Desk) -> list[Any]:
    return desk.conn.execute("select 1 from feed where entry like '%\"sealed\"%'::bytea").fetchall()


def test_who_was_referred_is_forgotten_at_both_ends_and_the_loop_goes_on(world: World) -> None:
    ponte, scuola, person = world["ponte"], world["scuola"], uuid4()
    referral, other = request(world, person_id=person), request(world)
    world.settle()
    for one in (referral, other):
        at_school(world, one, ACCEPT)
    world.settle()
    done = erase_subject(ponte.conn, SERVICE, person, "officer")
    assert done.told == ("scuola",)
    received = erase_subject(scuola.conn, SERVICE, referral, "officer")
    assert received.boxes == 1
    assert scuola.received(other).identity == IDENTITY
    kept = scuola.received(referral).identity
    assert kept is not None and "Amina" not in str(kept) and kept.phone is None
    for desk in (ponte, scuola):
        rows = desk.conn.execute("select t::text from received_referral t").fetchall()
        assert sum("Canary" in row[0] for row in rows) == (1 if desk is scuola else 0)
    at_school(world, referral, START)
    at_school(world, referral, COMPLETE)
    scuola.conn.execute("update follower set position = 0")  # as in a rebuild
    world.settle()
    assert ponte.sent(referral).state is State.COMPLETED
    assert scuola.received(referral).identity == kept
    assert ponte.refused() == scuola.refused() == []


def test_a_referral_to_a_course_is_closed_by_the_course(world: World) -> None:
    scuola, edition, enrolment = world["scuola"], uuid4(), uuid4()
    world["courses"].tell(edition, opened(edition))
    world.settle()
    assert [o.organisation for o in interface.offers(world["ponte"].conn, interface.OfferFilter())]
    referral = request(world, edition_id=edition)
    world.settle()
    at_school(world, referral, ACCEPT)
    world.settle()
    assert scuola.log()[-1] == "place_sought"
    place: dict[str, Any] = {
        "edition_id": edition,
        "enrolment_id": enrolment,
        "referral_id": referral,
    }
    world["courses"].tell(edition, EnrolmentConfirmed(on=TUESDAY, **place))
    world.settle()
    assert world["ponte"].sent(referral).state is State.IN_PROGRESS
    finished = EnrolmentCompleted(
        on=WEDNESDAY, lessons_held=10, lessons_attended=9, certified=True, **place
    )
    world["courses"].tell(edition, finished)
    world.settle()
    closed = world["ponte"].sent(referral)
    assert (closed.state, closed.outcome) == (State.COMPLETED, Outcome.CERTIFIED)
    assert scuola.refused() == world["ponte"].refused() == []


def test_who_gives_the_place_up_before_it_began_closes_the_referral(world: World) -> None:
    edition = uuid4()
    referral = request(world, edition_id=edition)
    world.settle()
    at_school(world, referral, ACCEPT)
    world.settle()
    gone = EnrolmentWithdrawn(
        edition_id=edition, enrolment_id=uuid4(), on=TUESDAY, referral_id=referral
    )
    world["courses"].tell(edition, gone)
    world.settle()
    closed = world["ponte"].sent(referral)
    assert (closed.state, closed.reason) == (State.FAILED, FailureReason.DROPPED_OUT)


def test_a_rejection_tells_its_reason_and_keeps_its_explanation(world: World) -> None:
    referral = request(world)
    world.settle()
    reject = RejectReferral(
        on=TUESDAY, today=TUESDAY, reason=RejectionReason.NO_PLACES, explanation="troppi iscritti"
    )
    at_school(world, referral, reject)
    world.settle()
    closed = world["ponte"].sent(referral)
    assert (closed.state, closed.reason) == (State.REJECTED, "no_places")
    assert closed.answered_on == closed.closed_on == TUESDAY
    entries = world["scuola"].conn.execute("select entry from feed").fetchall()
    assert b"troppi" not in b"".join(bytes(row[0]) for row in entries)


def test_a_cancellation_that_comes_first_wins(world: World) -> None:
    referral = request(world)
    world.settle()
    execute(world["ponte"].conn, SERVICE, SENT, referral, CANCEL, ME)
    world.settle()
    assert world["scuola"].received(referral).state is State.CANCELLED
    assert world["ponte"].refused() == world["scuola"].refused() == []


def test_when_cancellation_and_acceptance_cross_both_sides_end_cancelled(world: World) -> None:
    referral = request(world)
    world.settle()
    execute(world["ponte"].conn, SERVICE, SENT, referral, CANCEL, ME)
    at_school(world, referral, ACCEPT)
    world.settle()
    assert world["ponte"].sent(referral).state is State.CANCELLED
    assert world["scuola"].received(referral).state is State.CANCELLED
    assert world["scuola"].received(referral).identity is None
    assert not _boxes(world["ponte"])
    assert world["ponte"].refused() == ["cancelled"]  # the disclosure; for a person to see


def test_cancelled_and_failed_at_once_the_name_is_kept_by_nobody(world: World) -> None:
    referral = request(world)
    world.settle()
    at_school(world, referral, ACCEPT)
    world.settle(hold="ponte")
    fail = FailReferral(on=TUESDAY, today=TUESDAY, reason=FailureReason.CANNOT_HELP)
    at_school(world, referral, fail)
    world.settle()
    assert world["ponte"].sent(referral).state is State.FAILED
    assert world["scuola"].received(referral).identity is None
    assert "identity_received" not in world["scuola"].log()


def test_a_third_organisation_cannot_answer(world: World) -> None:
    referral = request(world)
    world["terza"].tell(
        referral, ReferralAccepted(referral_id=referral, sender="ponte", on=TUESDAY)
    )
    world.settle()
    assert world["ponte"].sent(referral).state is State.REQUESTED
    assert world["ponte"].refused() == ["not_the_recipient", "not_the_recipient"]
    assert not _boxes(world["ponte"])


def test_the_identifier_of_a_sent_referral_cannot_be_taken_by_a_received_one(world: World) -> None:
    referral = request(world, recipient="terza")
    world.settle()
    asked = replace(
        _first_request(world["ponte"]), recipient="ponte", area=Area.WORK, person_id=uuid4()
    )
    world["terza"].tell(referral, asked)
    world.settle()
    assert world["ponte"].refused() == ["wrong_kind"]
    assert world["ponte"].log() == ["referral_requested"]


def test_an_identifier_used_by_another_sender_stays_with_the_first(world: World) -> None:
    referral = request(world)
    world.settle()
    world["terza"].tell(referral, _first_request(world["ponte"]))
    world.settle()
    assert world["scuola"].refused() == ["identifier_taken"]
    assert world["scuola"].received(referral).sender == "ponte"


def _first_request(desk: Desk) -> Any:
    (stream,) = desk.conn.execute(
        "select stream_id from event_log order by position limit 1"
    ).fetchone() or (None,)
    return load(desk.conn, SERVICE.writes, stream)[0][0]


def opened(edition_id: UUID, **changes: Any) -> EditionOpened:
    values: dict[str, Any] = {
        "edition_id": edition_id,
        "title": "Italiano A1",
        "level": Level.A1,
        "places": 12,
        "starts_on": MONDAY,
        "ends_on": date(2026, 6, 30),
    }
    return EditionOpened(**values | changes)


def test_an_edition_belongs_to_whoever_told_of_it(world: World) -> None:
    edition = uuid4()
    world["courses"].tell(edition, opened(edition))
    world.settle()
    ponte = world["ponte"].conn
    assert interface.is_offered(ponte, "scuola", edition)
    assert not interface.is_offered(ponte, "terza", edition)
    known = interface.offers(ponte, interface.OfferFilter(level=Level.A1))
    assert [(offer.title, offer.places) for offer in known] == [("Italiano A1", 12)]
    assert interface.offers(ponte, interface.OfferFilter(on=date(2026, 7, 1))) == []


def test_impossible_figures_of_one_organisation_do_not_stop_the_directory(world: World) -> None:
    good = uuid4()
    for changes in ({"places": 2_000_000_000}, {"places": -1}, {"threshold": 2_000_000_000}):
        edition = uuid4()
        world["courses"].tell(edition, opened(edition, **changes))
    world["courses"].tell(good, opened(good))
    world.settle()
    known = interface.offers(world["ponte"].conn, interface.OfferFilter())
    assert [offer.edition_id for offer in known] == [good]


def test_lists_are_newest_first_filtered_and_paged(world: World) -> None:
    first, second, third = (request(world) for _ in range(3))
    execute(world["ponte"].conn, SERVICE, SENT, second, CANCEL, ME)
    conn = world["ponte"].conn
    listed = interface.sent(conn, interface.SentFilter(limit=2))
    assert [item.referral_id for item in listed] == [third, second]
    rest = interface.sent(conn, interface.SentFilter(limit=2, before=listed[-1].position))
    assert [item.referral_id for item in rest] == [first]
    cancelled = interface.sent(conn, interface.SentFilter(state=State.CANCELLED))
    assert [item.referral_id for item in cancelled] == [second]
    assert interface.sent(conn, interface.SentFilter(recipient="terza")) == []
    world.settle()
    received = interface.received(world["scuola"].conn, interface.ReceivedFilter(sender="ponte"))
    assert [item.referral_id for item in received] == [third, second, first]
    sent_counts, received_counts = interface.counts(conn)
    assert (sent_counts[State.REQUESTED], sent_counts[State.CANCELLED]) == (2, 1)
    assert set(received_counts.values()) == {0}


def test_every_value_of_a_referral_is_shown_as_it_was_asked(world: World) -> None:
    edition, person = uuid4(), uuid4()
    referral = request(world, edition_id=edition, person_id=person)
    shown = world["ponte"].sent(referral)
    assert (shown.person_id, shown.recipient, shown.area) == (person, "scuola", Area.LANGUAGE)
    assert (shown.language, shown.age_band) == ("ar", AgeBand.FROM_30_TO_64)
    assert (shown.edition_id, shown.requested_on) == (edition, MONDAY)
    world.settle()
    arrived = world["scuola"].received(referral)
    assert (arrived.area, arrived.age_band) == (Area.LANGUAGE, AgeBand.FROM_30_TO_64)
    assert (arrived.edition_id, arrived.requested_on) == (edition, MONDAY)
