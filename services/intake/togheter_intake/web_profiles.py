"""The part of intake's interface for profiles, households and corrections."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from uuid import UUID

from psycopg import Connection

from togheter_intake import messages_cases as messages
from togheter_intake.accesses import ACCESS, EnterInError
from togheter_intake.case_file import profile
from togheter_intake.given import birth_of, identifier_of
from togheter_intake.people import PERSON, CorrectIdentity, SupersedeIdentifier
from togheter_intake.profiles import (
    PROFILE,
    AddMember,
    RecordItem,
    RemoveItem,
    RemoveMember,
    profile_of,
)
from togheter_intake.service import SERVICE
from togheter_intake.web_cases import PERSON_URL, CasesWeb, assert_known, said
from togheter_intake.web_imports import READ, WRITE, new_id
from togheter_shared.log.store import handle
from togheter_shared.run.carry import context
from togheter_shared.run.http import Request, api


class ProfilesWeb(CasesWeb):
    """Profiles, households and corrections over HTTP."""

    @api(
        "GET",
        f"{PERSON_URL}/profile",
        scope=READ,
        summary="Skills, studies, work, aspirations and household",
        answer=messages.ProfileAnswer,
    )
    def read_profile(self, request: Request) -> messages.ProfileAnswer:
        with self.database.connection() as conn:
            assert_known(conn, request.path["person_id"])
            return profile(conn, request.path["person_id"])

    @api(
        "POST",
        f"{PERSON_URL}/profile",
        scope=WRITE,
        summary="Record a skill, a study, a job or an aspiration",
        body=messages.NewItem,
        answer=messages.ItemReference,
        status=201,
    )
    def record_item(self, request: Request) -> messages.ItemReference:
        return self._item(request, new_id(request))

    @api(
        "PUT",
        f"{PERSON_URL}/profile/<uuid:item_id>",
        scope=WRITE,
        summary="Change an entry of the profile",
        body=messages.NewItem,
        answer=messages.ItemReference,
    )
    def change_item(self, request: Request) -> messages.ItemReference:
        return self._item(request, request.path["item_id"])

    @api(
        "POST",
        f"{PERSON_URL}/profile/<uuid:item_id>/remove",
        scope=WRITE,
        summary="Remove an entry that was made in error",
        body=messages.Day,
        answer=messages.ItemReference,
    )
    def remove_item(self, request: Request) -> messages.ItemReference:
        item_id = request.path["item_id"]
        return self._profile(request, RemoveItem(**said(request), item_id=item_id), item_id)

    @api(
        "POST",
        f"{PERSON_URL}/household",
        scope=WRITE,
        summary="Add somebody of the household",
        body=messages.NewMember,
        answer=messages.ItemReference,
        status=201,
    )
    def add_member(self, request: Request) -> messages.ItemReference:
        body: messages.NewMember = request.body
        member_id = new_id(request)
        command = AddMember(
            **said(request),
            member_id=member_id,
            relation=body.relation,
            other_id=body.other_id,
            name=body.name,
            birth_year=body.birth_year,
        )
        return self._profile(request, command, member_id)

    @api(
        "POST",
        f"{PERSON_URL}/household/<uuid:member_id>/remove",
        scope=WRITE,
        summary="Remove somebody of the household",
        body=messages.Day,
        answer=messages.ItemReference,
    )
    def remove_member(self, request: Request) -> messages.ItemReference:
        member_id = request.path["member_id"]
        command = RemoveMember(**said(request), member_id=member_id)
        return self._profile(request, command, member_id)

    # corrections

    @api(
        "POST",
        f"{PERSON_URL}/identity",
        scope=WRITE,
        summary="Correct the identity: all of it, as it should have been",
        body=messages.Correction,
        answer=messages.ItemReference,
    )
    def correct_identity(self, request: Request) -> messages.ItemReference:
        body: messages.Correction = request.body
        command = CorrectIdentity(
            **said(request),
            name=body.name,
            birth=birth_of(body.birth),
            birth_country=body.birth_country,
            sex=body.sex,
            citizenships=body.citizenships,
            languages=body.languages,
        )
        person_id = request.path["person_id"]
        return self._about(request, lambda conn: _person(conn, request, command), person_id)

    @api(
        "POST",
        f"{PERSON_URL}/identifiers/supersede",
        scope=WRITE,
        summary="Take back an identifier that was replaced, or entered in error",
        body=messages.OldIdentifier,
        answer=messages.ItemReference,
    )
    def supersede_identifier(self, request: Request) -> messages.ItemReference:
        person_id = request.path["person_id"]
        command = SupersedeIdentifier(
            person_id=person_id, identifier=identifier_of(request.body.identifier, "identifier")
        )
        return self._about(request, lambda conn: _person(conn, request, command), person_id)

    @api(
        "POST",
        "/api/v1/accesses/<uuid:access_id>/entered-in-error",
        scope=WRITE,
        summary="Take back an access that never was",
        body=messages.Day,
    )
    def enter_access_in_error(self, request: Request) -> None:
        access_id = request.path["access_id"]
        command = EnterInError(access_id=access_id, on=request.body.on or date.today())

        def work(conn: Connection) -> messages.Day:
            handle(conn, SERVICE, ACCESS, access_id, command, context(request))
            return messages.Day()

        self.carry_out(request, messages.Day, work)

    def _item(self, request: Request, item_id: UUID) -> messages.ItemReference:
        body: messages.NewItem = request.body
        command = RecordItem(
            **said(request),
            item_id=item_id,
            kind=body.kind,
            text=body.text,
            where=body.where,
            years=body.years,
            recognition=body.recognition,
        )
        return self._profile(request, command, item_id)

    def _profile(
        self,
        request: Request,
        command: RecordItem | RemoveItem | AddMember | RemoveMember,
        item_id: UUID,
    ) -> messages.ItemReference:
        stream_id = profile_of(command.person_id)

        def work(conn: Connection) -> None:
            assert_known(conn, command.person_id)
            handle(conn, SERVICE, PROFILE, stream_id, command, context(request))

        return self._about(request, work, item_id)

    def _about(
        self, request: Request, work: Callable[[Connection], None], item_id: UUID
    ) -> messages.ItemReference:
        reference = messages.ItemReference(person_id=request.path["person_id"], item_id=item_id)

        def answer(conn: Connection) -> messages.ItemReference:
            work(conn)
            return reference

        return self.carry_out(request, messages.ItemReference, answer)


def _person(
    conn: Connection, request: Request, command: CorrectIdentity | SupersedeIdentifier
) -> None:
    handle(conn, SERVICE, PERSON, command.person_id, command, context(request))
