"""The referral desk over HTTP: a request becomes a command, a view becomes an answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import psycopg
from nameko.extensions import DependencyProvider

from togheter_referrals import interface, received, sent
from togheter_referrals.interface import (
    Acceptance,
    Cancellation,
    Completion,
    Failure,
    Offer,
    OfferFilter,
    Partner,
    ReceivedFilter,
    ReceivedReferral,
    ReferralDraft,
    Rejection,
    SentFilter,
    SentReferral,
    Start,
)
from togheter_referrals.service import SERVICE
from togheter_referrals.states import State
from togheter_shared.decider import Rejected
from togheter_shared.log.network import LiveNetwork, Network
from togheter_shared.log.store import handle
from togheter_shared.run.carry import carry_out, context
from togheter_shared.run.http import Answer, Database, NotFound, Request, api, page
from togheter_shared.web.language import N_
from togheter_shared.web.render import Entry, Pages

READ = "referrals.read"
WRITE = "referrals.write"
ROME = ZoneInfo("Europe/Rome")
T = TypeVar("T")
WORDS = {
    State.REQUESTED: N_("requested"),
    State.ACCEPTED: N_("accepted"),
    State.IN_PROGRESS: N_("in progress"),
    State.COMPLETED: N_("completed"),
    State.FAILED: N_("failed"),
    State.REJECTED: N_("rejected"),
    State.CANCELLED: N_("cancelled"),
}
PAGES = Pages(
    Path(__file__).parent, N_("Referrals"), (Entry(operation="GET /", words=N_("Referrals")),)
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Whose desk this is, and who else is in the network."""

    organisation: str
    live: LiveNetwork

    @property
    def network(self) -> Network:
        return self.live()


class PlaceProvider(DependencyProvider):  # type: ignore[misc]
    """Gives the service `self.place`, from the settings of the process."""

    def setup(self) -> None:
        settings = self.container.config["togheter"].settings
        self.place = Place(organisation=settings.organisation, live=LiveNetwork(settings.network))

    def get_dependency(self, worker_ctx: Any) -> Place:
        return self.place


class ReferralsWeb:
    name = "referrals"
    pages = PAGES
    database = Database()
    place = PlaceProvider()

    @api(
        "POST",
        "/api/v1/referrals",
        scope=WRITE,
        summary="Ask another organisation to take up a need",
        body=ReferralDraft,
        answer=SentReferral,
        status=201,
    )
    def request_referral(self, request: Request) -> Answer:
        place: Place = self.place
        draft: ReferralDraft = request.body
        with self.database.connection() as conn:

            def work() -> str:
                check_recipient(conn, place, draft)
                command = draft_command(draft, place.organisation, today())
                handle(conn, SERVICE, sent.SENT, command.referral_id, command, context(request))
                return str(command.referral_id)

            referral_id = UUID(carry_out(conn, SERVICE, request, work))
            found = interface.one_sent(conn, referral_id)
        return Answer(201, found, {"Location": f"/api/v1/referrals/{referral_id}"})

    @api(
        "GET",
        "/api/v1/referrals",
        scope=READ,
        summary="The referrals that we sent, newest first",
        query=SentFilter,
        answer=SentReferral,
        many=True,
    )
    def list_referrals(self, request: Request) -> Answer:
        with self.database.connection() as conn:
            return paged("/api/v1/referrals", request.query, interface.sent(conn, request.query))

    @api(
        "GET",
        "/api/v1/referrals/<uuid:referral_id>",
        scope=READ,
        summary="One referral that we sent",
        answer=SentReferral,
    )
    def read_referral(self, request: Request) -> SentReferral:
        with self.database.connection() as conn:
            return existing(interface.one_sent(conn, request.path["referral_id"]))

    @api(
        "POST",
        "/api/v1/referrals/<uuid:referral_id>/cancel",
        scope=WRITE,
        summary="Take a referral back that was not accepted",
        body=Cancellation,
        answer=SentReferral,
    )
    def cancel_referral(self, request: Request) -> SentReferral:
        referral_id = request.path["referral_id"]
        command = sent.CancelReferral(reason=request.body.reason, **days(request))
        with self.database.connection() as conn:
            existing(interface.one_sent(conn, referral_id))

            def work() -> None:
                handle(conn, SERVICE, sent.SENT, referral_id, command, context(request))

            carry_out(conn, SERVICE, request, work)
            return existing(interface.one_sent(conn, referral_id))

    @api(
        "GET",
        "/api/v1/received",
        scope=READ,
        summary="The referrals that we received, newest first",
        query=ReceivedFilter,
        answer=ReceivedReferral,
        many=True,
    )
    def list_received(self, request: Request) -> Answer:
        with self.database.connection() as conn:
            return paged("/api/v1/received", request.query, interface.received(conn, request.query))

    @api(
        "GET",
        "/api/v1/received/<uuid:referral_id>",
        scope=READ,
        summary="One referral that we received; who the person is, once it was disclosed",
        answer=ReceivedReferral,
    )
    def read_received(self, request: Request) -> ReceivedReferral:
        with self.database.connection() as conn:
            return existing(interface.one_received(conn, request.path["referral_id"]))

    @api(
        "POST",
        "/api/v1/received/<uuid:referral_id>/accept",
        scope=WRITE,
        summary="Take the need up",
        body=Acceptance,
        answer=ReceivedReferral,
    )
    def accept_referral(self, request: Request) -> ReceivedReferral:
        return self._answer(request, received.AcceptReferral(**days(request)))

    @api(
        "POST",
        "/api/v1/received/<uuid:referral_id>/reject",
        scope=WRITE,
        summary="Decline, with a reason",
        body=Rejection,
        answer=ReceivedReferral,
    )
    def reject_referral(self, request: Request) -> ReceivedReferral:
        body: Rejection = request.body
        command = received.RejectReferral(
            reason=body.reason, explanation=body.explanation, **days(request)
        )
        return self._answer(request, command)

    @api(
        "POST",
        "/api/v1/received/<uuid:referral_id>/start",
        scope=WRITE,
        summary="Say that help has begun",
        body=Start,
        answer=ReceivedReferral,
    )
    def start_referral(self, request: Request) -> ReceivedReferral:
        return self._answer(request, received.StartReferral(**days(request)))

    @api(
        "POST",
        "/api/v1/received/<uuid:referral_id>/complete",
        scope=WRITE,
        summary="Close with an outcome",
        body=Completion,
        answer=ReceivedReferral,
    )
    def complete_referral(self, request: Request) -> ReceivedReferral:
        command = received.CompleteReferral(outcome=request.body.outcome, **days(request))
        return self._answer(request, command)

    @api(
        "POST",
        "/api/v1/received/<uuid:referral_id>/fail",
        scope=WRITE,
        summary="Close what could not be done, with a reason",
        body=Failure,
        answer=ReceivedReferral,
    )
    def fail_referral(self, request: Request) -> ReceivedReferral:
        command = received.FailReferral(reason=request.body.reason, **days(request))
        return self._answer(request, command)

    @api(
        "GET",
        "/api/v1/offers",
        scope=READ,
        summary="What the organisations of the network offer",
        query=OfferFilter,
        answer=Offer,
        many=True,
    )
    def list_offers(self, request: Request) -> Answer:
        with self.database.connection() as conn:
            return paged("/api/v1/offers", request.query, interface.offers(conn, request.query))

    @api(
        "GET",
        "/api/v1/organisations",
        scope=READ,
        summary="The organisations of the network",
        answer=Partner,
        many=True,
    )
    def list_organisations(self, request: Request) -> list[Partner]:
        place: Place = self.place
        return [
            Partner(
                organisation=organisation.id,
                name=organisation.name,
                services=organisation.services,
                referrals=SERVICE.name in organisation.services,
                own=organisation.id == place.organisation,
            )
            for organisation in place.network.organisations
        ]

    @page("/", scope=READ, summary="How many referrals are in each state")
    def index(self, request: Request) -> str:
        with self.database.connection() as conn:
            sent_counts, received_counts = interface.counts(conn)
        return PAGES(
            "index.html",
            request,
            organisation=name_of(self.place),
            words=WORDS,
            tables={N_("Sent"): sent_counts, N_("Received"): received_counts},
        )

    def _answer(self, request: Request, command: received.Command) -> ReceivedReferral:
        referral_id = request.path["referral_id"]
        with self.database.connection() as conn:
            existing(interface.one_received(conn, referral_id))

            def work() -> None:
                handle(conn, SERVICE, received.RECEIVED, referral_id, command, context(request))

            carry_out(conn, SERVICE, request, work)
            return existing(interface.one_received(conn, referral_id))


def today() -> date:
    """The day in Italy."""
    return datetime.now(ROME).date()


def days(request: Request) -> dict[str, date]:
    """The day that an operator gives, or else today; and today."""
    now = today()
    return {"on": request.body.on or now, "today": now}


def draft_command(draft: ReferralDraft, sender: str, now: date) -> sent.RequestReferral:
    """The command with an identifier that nobody can foresee, and so nobody can take first."""
    return sent.RequestReferral(
        referral_id=uuid4(),
        person_id=draft.person_id,
        sender=sender,
        recipient=draft.recipient,
        area=draft.area,
        requested_on=draft.requested_on or now,
        today=now,
        language=draft.language,
        age_band=draft.age_band,
        urgency=draft.urgency,
        edition_id=draft.edition_id,
        consent=draft.consent,
        identity=draft.identity,
    )


def check_recipient(conn: psycopg.Connection, place: Place, draft: ReferralDraft) -> None:
    """Refuse whom the network does not know, and an edition that the recipient does not offer."""
    found = place.network.organisation(draft.recipient)
    if found is None or SERVICE.name not in found.services:
        raise Rejected(
            "Il destinatario non è un'organizzazione della rete che riceve segnalazioni.",
            "unknown_recipient",
            "recipient",
        )
    if draft.edition_id is None or draft.recipient == place.organisation:
        return
    if not interface.is_offered(conn, draft.recipient, draft.edition_id):
        raise Rejected(
            "L'edizione non è tra le offerte di questa organizzazione;"
            " se è stata appena aperta, riprovare tra qualche secondo.",
            "unknown_edition",
            "edition_id",
        )


def existing(found: T | None) -> T:
    """What was found, or a 404."""
    if found is None:
        raise NotFound()
    return found


def paged(url: str, wanted: Any, found: list[Any]) -> Answer:
    """The page, with a link to the next one when it is full."""
    headers: Mapping[str, str] = {}
    if len(found) == wanted.limit:
        more = {name: value for name, value in vars(wanted).items() if value is not None}
        query = urlencode(more | {"before": found[-1].position})
        headers = {"Link": f'<{url}?{query}>; rel="next"'}
    return Answer(200, found, headers)


def name_of(place: Place) -> str:
    own = place.network.organisation(place.organisation)
    return own.name if own is not None else place.organisation
