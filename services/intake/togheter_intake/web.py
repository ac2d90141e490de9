"""The interface of intake: JSON for machines under /api/v1, and one page without names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from psycopg import Connection

from togheter_intake import messages, people, queries
from togheter_intake.accesses import ACCESS, RecordAccess
from togheter_intake.case_commands import RecordNeeds
from togheter_intake.cases import CASE, case_of
from togheter_intake.doors import DOOR, OpenDoor
from togheter_intake.given import birth_of, identifier_of, identity_of, phones_of, registration
from togheter_intake.matching import Identity
from togheter_intake.people import PERSON
from togheter_intake.recognition import find_candidates
from togheter_intake.service import SERVICE
from togheter_intake.web_cases import PERSON_URL, said
from togheter_intake.web_imports import READ, WRITE, new_id
from togheter_intake.web_profiles import ProfilesWeb
from togheter_shared.contracts.intake import Contact, SafeContact
from togheter_shared.decider import AnyDecider, Rejected
from togheter_shared.log.store import handle
from togheter_shared.run.carry import context
from togheter_shared.run.http import NotFound, Request, api, page
from togheter_shared.web.language import N_
from togheter_shared.web.render import Entry, Pages

T = TypeVar("T")
SUSPICION_URL = "/api/v1/suspicions/<uuid:person_id>/<uuid:other_id>"

PAGES = Pages(
    Path(__file__).parent,
    N_("Social doors"),
    (Entry(operation="GET /", words=N_("Social doors")),),
)


class IntakeWeb(ProfilesWeb):
    """Doors, persons, accesses, needs, suspected duplicates and imports over HTTP."""

    name = "intake"
    pages = PAGES

    # doors and accesses

    @api(
        "POST",
        "/api/v1/doors",
        scope=WRITE,
        summary="Open a Porta Sociale",
        body=messages.NewDoor,
        answer=messages.DoorAnswer,
        status=201,
    )
    def open_door(self, request: Request) -> messages.DoorAnswer:
        body: messages.NewDoor = request.body
        door_id = new_id(request)
        command = OpenDoor(
            door_id=door_id, name=body.name, address=body.address, languages=body.languages
        )
        return self._after(
            request,
            DOOR,
            door_id,
            command,
            messages.DoorAnswer,
            lambda conn: queries.door(conn, door_id, date.today()),
        )

    @api(
        "GET",
        "/api/v1/doors",
        scope=READ,
        summary="The doors with their accesses",
        answer=messages.DoorAnswer,
        many=True,
    )
    def list_doors(self, request: Request) -> list[messages.DoorAnswer]:
        with self.database.connection() as conn:
            return queries.doors(conn, date.today())

    @api(
        "POST",
        "/api/v1/accesses",
        scope=WRITE,
        summary="Record an access, anonymous or of a person",
        body=messages.NewAccess,
        answer=messages.AccessAnswer,
        status=201,
    )
    def record_access(self, request: Request) -> messages.AccessAnswer:
        body: messages.NewAccess = request.body
        access_id, today = new_id(request), date.today()
        command = RecordAccess(
            access_id=access_id,
            door_id=body.door_id,
            on=body.on or today,
            today=today,
            kind=body.kind,
            topics=body.topics,
            languages=body.languages,
            minutes=body.minutes,
            mediator=body.mediator,
            sex=body.sex,
            citizenships=body.citizenships,
            person_id=body.person_id,
            operator=body.operator,
            note=body.note,
        )
        answer = messages.AccessAnswer(
            access_id=access_id,
            door_id=body.door_id,
            on=command.on,
            kind=body.kind,
            person_id=body.person_id,
        )
        return self._after(
            request, ACCESS, access_id, command, messages.AccessAnswer, lambda conn: answer
        )

    # persons

    @api(
        "POST",
        "/api/v1/persons",
        scope=WRITE,
        summary="Register a person; answers with those who may be the same",
        body=messages.NewPerson,
        answer=messages.Registered,
        status=201,
    )
    def register_person(self, request: Request) -> messages.Registered:
        command = registration(request.body, new_id(request), date.today())

        def work(conn: Connection) -> messages.Registered:
            found = find_candidates(conn, identity_of(command))
            handle(conn, SERVICE, PERSON, command.person_id, command, context(request))
            for other in found:
                suspect = people.SuspectDuplicate(
                    person_id=command.person_id,
                    other_id=other.person_id,
                    score=other.suspicion.score,
                    reasons=other.suspicion.reasons,
                )
                handle(conn, SERVICE, PERSON, command.person_id, suspect, context(request))
            duplicates = tuple(
                messages.Candidate(
                    person_id=other.person_id,
                    score=other.suspicion.score,
                    reasons=other.suspicion.reasons,
                )
                for other in found
            )
            return messages.Registered(person_id=command.person_id, duplicates=duplicates)

        return self.carry_out(request, messages.Registered, work)

    @api(
        "GET",
        PERSON_URL,
        scope=READ,
        summary="All that is known of a person",
        answer=messages.PersonAnswer,
    )
    def read_person(self, request: Request) -> messages.PersonAnswer:
        with self.database.connection() as conn:
            found = queries.person(conn, request.path["person_id"])
        if found is None:
            raise NotFound("person_unknown", "Questa persona non è registrata.")
        return found

    @api(
        "POST",
        "/api/v1/persons/search",
        scope=READ,
        summary="Who has an identifier, or looks like this; the address holds nothing of it",
        body=messages.PersonSearch,
        answer=messages.PersonAnswer,
        many=True,
    )
    def search_persons(self, request: Request) -> list[messages.PersonAnswer]:
        body: messages.PersonSearch = request.body
        identifier = identifier_of(body.identifier, "identifier") if body.identifier else None
        identity = Identity(
            given=body.name, birth=birth_of(body.birth), phones=phones_of(body.phones)
        )
        if identifier is None and not (body.name.strip() or identity.phones):
            raise Rejected(
                "Indica un identificativo, un nome o un telefono.", "nothing_to_search", "name"
            )
        with self.database.connection() as conn:
            return queries.search(conn, identifier, identity)

    @api(
        "POST",
        f"{PERSON_URL}/identifiers",
        scope=WRITE,
        summary="Add an identifier, which belongs to one person",
        body=messages.NewIdentifier,
        answer=messages.PersonReference,
    )
    def add_identifier(self, request: Request) -> messages.PersonReference:
        person_id = request.path["person_id"]
        identifier = identifier_of(request.body.identifier, "identifier")
        return self._said(request, people.AddIdentifier(person_id=person_id, identifier=identifier))

    @api(
        "POST",
        f"{PERSON_URL}/contact",
        scope=WRITE,
        summary="Change how the person can be reached",
        body=messages.NewContact,
        answer=messages.PersonReference,
    )
    def change_contact(self, request: Request) -> messages.PersonReference:
        contact = Contact(phones=phones_of(request.body.phones))
        return self._said(request, people.ChangeContact(**said(request), contact=contact))

    @api(
        "POST",
        f"{PERSON_URL}/safe-contact",
        scope=WRITE,
        summary="Record what is safe, as the person says it",
        body=messages.NewSafeContact,
        answer=messages.PersonReference,
    )
    def set_safe_contact(self, request: Request) -> messages.PersonReference:
        body: messages.NewSafeContact = request.body
        safe = SafeContact(channel=body.channel, hours=body.hours, voicemail=body.voicemail)
        return self._said(request, people.SetSafeContact(**said(request), safe=safe))

    @api(
        "POST",
        f"{PERSON_URL}/residence-title",
        scope=WRITE,
        summary="Record the title to stay",
        body=messages.NewTitle,
        answer=messages.PersonReference,
    )
    def record_residence_title(self, request: Request) -> messages.PersonReference:
        body: messages.NewTitle = request.body
        return self._said(
            request,
            people.RecordResidenceTitle(**said(request), title=body.title, expires=body.expires),
        )

    @api(
        "POST",
        f"{PERSON_URL}/needs",
        scope=WRITE,
        summary="Record needs; the first opens the case",
        body=messages.NewNeeds,
        answer=messages.NeedsAnswer,
    )
    def record_needs(self, request: Request) -> messages.NeedsAnswer:
        body: messages.NewNeeds = request.body
        person_id = request.path["person_id"]
        case_id = case_of(person_id)
        command = RecordNeeds(
            **said(request),
            case_id=case_id,
            areas=body.areas,
            door_id=body.door_id,
            access_id=body.access_id,
        )
        return self._after(
            request,
            CASE,
            case_id,
            command,
            messages.NeedsAnswer,
            lambda conn: queries.needs(conn, case_id, person_id),
        )

    # suspected duplicates

    @api(
        "GET",
        "/api/v1/suspicions",
        scope=READ,
        summary="Pairs of registrations that may be one person",
        query=messages.SuspicionFilter,
        answer=messages.SuspicionAnswer,
        many=True,
    )
    def list_suspicions(self, request: Request) -> list[messages.SuspicionAnswer]:
        with self.database.connection() as conn:
            return queries.suspicions(conn, request.query)

    @api(
        "POST",
        f"{SUSPICION_URL}/decide",
        scope=WRITE,
        summary="Say whether two registrations are one person; the latest decision holds",
        body=messages.Decision,
        answer=messages.Decided,
    )
    def decide_suspicion(self, request: Request) -> messages.Decided:
        decision = request.body.decision

        def work(conn: Connection) -> messages.Decided:
            pair = queries.suspected_pair(conn, request.path["person_id"], request.path["other_id"])
            if pair is None:
                raise NotFound("suspicion_unknown", "Per queste due persone non c'è un sospetto.")
            person_id, other_id = pair
            command = people.DecideDuplicate(
                person_id=person_id, other_id=other_id, decision=decision
            )
            handle(conn, SERVICE, PERSON, person_id, command, context(request))
            return messages.Decided(person_id=person_id, other_id=other_id, decision=decision)

        return self.carry_out(request, messages.Decided, work)

    # the page

    @page("/", scope=READ, summary="Doors and figures, no names")
    def home(self, request: Request) -> str:
        with self.database.connection() as conn:
            doors, figures = queries.doors(conn, date.today()), queries.figures(conn)
        return PAGES("doors.html", request, doors=doors, **figures)

    # what the methods share

    def _said(
        self, request: Request, command: people.Said | people.AddIdentifier
    ) -> messages.PersonReference:
        reference = messages.PersonReference(person_id=command.person_id)
        return self._after(
            request,
            PERSON,
            command.person_id,
            command,
            messages.PersonReference,
            lambda conn: reference,
        )

    def _after(
        self,
        request: Request,
        decider: AnyDecider,
        stream_id: UUID,
        command: Any,
        answer: type[T],
        read: Callable[[Connection], T],
    ) -> T:
        def work(conn: Connection) -> T:
            handle(conn, SERVICE, decider, stream_id, command, context(request))
            return read(conn)

        return self.carry_out(request, answer, work)


def _day(request: Request) -> dict[str, Any]:
    """The person, the day on which it was said, and today."""
    today = date.today()
    return {"person_id": request.path["person_id"], "on": request.body.on or today, "today": today}
