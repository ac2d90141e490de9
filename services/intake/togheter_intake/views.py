"""The tables that pages and interface read: kept in the transaction of each command."""

from collections.abc import Mapping
from datetime import date

from psycopg import Connection

from togheter_intake import views_cases as cases
from togheter_intake.matching import Identity
from togheter_intake.search_index import index_secret, record_hashes
from togheter_intake.spelling import fold
from togheter_shared.contracts.intake import (
    AccessEnteredInError,
    AccessRecorded,
    CaseOpened,
    ContactChanged,
    DoorOpened,
    DuplicateDecided,
    DuplicateSuspected,
    IdentifierAdded,
    IdentifierSuperseded,
    IdentityCorrected,
    NeedRecorded,
    PersonRegistered,
    ResidenceTitleRecorded,
    SafeContactSet,
)
from togheter_shared.contracts.intake_cases import (
    CaseClosed,
    CaseReopened,
    CaseResumed,
    CaseSuspended,
    CaseworkerAssigned,
    ConsentAnswered,
    ConsentWithdrawn,
    GoalReviewed,
    GoalSet,
    InterviewHeld,
    NeedResolved,
    PlanAgreed,
    VulnerabilityFlagged,
    VulnerabilityLifted,
)
from togheter_shared.decider import Rejected
from togheter_shared.log.service import Recorded, View


def name_key(name: str) -> str:
    """The form in which names of doors are compared."""
    return fold(name)


def identity_of(event: PersonRegistered | IdentityCorrected) -> Identity:
    """What is compared of a person."""
    phones = event.contact.phones if isinstance(event, PersonRegistered) else ()
    return Identity(
        given=event.name.given,
        family=event.name.family,
        native=event.name.native,
        birth=event.birth,
        birth_country=event.birth_country,
        sex=event.sex,
        phones=phones,
    )


def door_opened(conn: Connection, recorded: Recorded) -> None:
    event: DoorOpened = recorded.event
    conn.execute(
        "insert into door (door_id, name, name_key, address, languages)"
        " values (%s, %s, %s, %s, %s)",
        [event.door_id, event.name, name_key(event.name), event.address, list(event.languages)],
    )


def access_recorded(conn: Connection, recorded: Recorded) -> None:
    event: AccessRecorded = recorded.event
    conn.execute(
        "insert into access (access_id, door_id, on_day, kind, topics, languages, minutes,"
        " mediator, sex, citizenships, person_id, operator, note)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            event.access_id,
            event.door_id,
            event.on,
            event.kind.value,
            [topic.value for topic in event.topics],
            list(event.languages),
            event.minutes,
            event.mediator,
            event.sex.value,
            list(event.citizenships),
            event.person_id,
            event.operator,
            event.note,
        ],
        prepare=True,
    )


def person_registered(conn: Connection, recorded: Recorded) -> None:
    event: PersonRegistered = recorded.event
    conn.execute(
        "with registered as (insert into person (person_id, registered_on, door_id, sex, age,"
        " citizenships, languages, given_name, family_name, native_name, birth_year, birth_month,"
        " birth_day, birth_precision, birth_source, birth_country, phones)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " returning person_id)"
        " insert into person_key (key, person_id)"
        " select k.key, registered.person_id from registered, unnest(%s::bigint[]) as k (key)",
        [
            event.person_id,
            event.on,
            event.door_id,
            event.sex.value,
            event.age,
            list(event.citizenships),
            list(event.languages),
            event.name.given,
            event.name.family,
            event.name.native,
            event.birth.year,
            event.birth.month,
            event.birth.day,
            event.birth.precision.value,
            event.birth.source,
            event.birth_country,
            list(event.contact.phones),
            record_hashes(identity_of(event), index_secret(conn)),
        ],
        prepare=True,
    )


def identifier_added(conn: Connection, recorded: Recorded) -> None:
    """One identifier belongs to one person: another person's is refused.

    Not by the constraint's error: PostgreSQL writes the values that violate one into its log.
    """
    event: IdentifierAdded = recorded.event
    added = conn.execute(
        "insert into identifier (kind, value, person_id) values (%s, %s, %s)"
        " on conflict do nothing",
        [event.kind.value, event.value, event.person_id],
        prepare=True,
    )
    if not added.rowcount:
        raise Rejected(
            "Questo identificativo è già di un'altra persona: cercala.", "identifier_taken"
        )


def identifier_superseded(conn: Connection, recorded: Recorded) -> None:
    event: IdentifierSuperseded = recorded.event
    conn.execute(
        "delete from identifier where kind = %s and value = %s and person_id = %s",
        [event.kind.value, event.value, event.person_id],
    )


def identity_corrected(conn: Connection, recorded: Recorded) -> None:
    """The keys of what was registered before stay: a mistake is found by the mistake too."""
    event: IdentityCorrected = recorded.event
    conn.execute(
        "with corrected as (update person set sex = %s, age = %s, citizenships = %s,"
        " languages = %s, given_name = %s, family_name = %s, native_name = %s, birth_year = %s,"
        " birth_month = %s, birth_day = %s, birth_precision = %s, birth_source = %s,"
        " birth_country = %s where person_id = %s returning person_id, phones)"
        " insert into person_key (key, person_id)"
        " select k.key, corrected.person_id from corrected, unnest(%s::bigint[]) as k (key)"
        " on conflict do nothing",
        [
            event.sex.value,
            event.age,
            list(event.citizenships),
            list(event.languages),
            event.name.given,
            event.name.family,
            event.name.native,
            event.birth.year,
            event.birth.month,
            event.birth.day,
            event.birth.precision.value,
            event.birth.source,
            event.birth_country,
            event.person_id,
            record_hashes(identity_of(event), index_secret(conn)),
        ],
    )


def access_entered_in_error(conn: Connection, recorded: Recorded) -> None:
    event: AccessEnteredInError = recorded.event
    conn.execute(
        "update access set in_error_on = %s where access_id = %s", [event.on, event.access_id]
    )


def contact_changed(conn: Connection, recorded: Recorded) -> None:
    event: ContactChanged = recorded.event
    phones = list(event.contact.phones)
    conn.execute(
        "with changed as (update person set phones = %s where person_id = %s returning person_id)"
        " insert into person_key (key, person_id)"
        " select k.key, changed.person_id from changed, unnest(%s::bigint[]) as k (key)"
        " on conflict do nothing",
        [
            phones,
            event.person_id,
            record_hashes(Identity(phones=tuple(phones)), index_secret(conn)),
        ],
        prepare=True,
    )


def safe_contact_set(conn: Connection, recorded: Recorded) -> None:
    event: SafeContactSet = recorded.event
    conn.execute(
        "update person set safe_channel = %s, safe_hours = %s, safe_voicemail = %s"
        " where person_id = %s",
        [event.safe.channel.value, event.safe.hours, event.safe.voicemail, event.person_id],
        prepare=True,
    )


def residence_title_recorded(conn: Connection, recorded: Recorded) -> None:
    event: ResidenceTitleRecorded = recorded.event
    conn.execute(
        "update person set title = %s, title_on = %s, title_expires = %s"
        " where person_id = %s and coalesce(title_on, %s) <= %s",
        [event.title.value, event.on, event.expires, event.person_id, date.min, event.on],
        prepare=True,
    )


def duplicate_suspected(conn: Connection, recorded: Recorded) -> None:
    event: DuplicateSuspected = recorded.event
    conn.execute(
        "insert into suspicion (person_id, other_id, score, reasons, suspected_at)"
        " values (%s, %s, %s, %s, %s)",
        [event.person_id, event.other_id, event.score, list(event.reasons), recorded.recorded_at],
        prepare=True,
    )


def duplicate_decided(conn: Connection, recorded: Recorded) -> None:
    event: DuplicateDecided = recorded.event
    conn.execute(
        "update suspicion set decision = %s, decided_at = %s"
        " where person_id = %s and other_id = %s",
        [event.decision.value, recorded.recorded_at, event.person_id, event.other_id],
    )


def case_opened(conn: Connection, recorded: Recorded) -> None:
    event: CaseOpened = recorded.event
    conn.execute(
        "insert into case_file (case_id, person_id, opened_on, last_on, door_id)"
        " values (%s, %s, %s, %s, %s)",
        [event.case_id, event.person_id, event.on, event.on, event.door_id],
        prepare=True,
    )


def need_recorded(conn: Connection, recorded: Recorded) -> None:
    event: NeedRecorded = recorded.event
    conn.execute(
        "insert into need (need_id, case_id, person_id, area, first_on, last_on)"
        " values (%(need)s, %(case)s, %(person)s, %(area)s, %(on)s, %(on)s)"
        " on conflict (need_id) do update set stated = need.stated + 1,"
        " first_on = least(need.first_on, excluded.first_on),"
        " last_on = greatest(need.last_on, excluded.last_on)",
        {
            "need": event.need_id,
            "case": event.case_id,
            "person": event.person_id,
            "area": event.area.value,
            "on": event.on,
        },
        prepare=True,
    )


VIEWS: Mapping[type, View] = {
    DoorOpened: door_opened,
    AccessRecorded: access_recorded,
    AccessEnteredInError: access_entered_in_error,
    PersonRegistered: person_registered,
    IdentityCorrected: identity_corrected,
    IdentifierAdded: identifier_added,
    IdentifierSuperseded: identifier_superseded,
    ContactChanged: contact_changed,
    SafeContactSet: safe_contact_set,
    ResidenceTitleRecorded: residence_title_recorded,
    DuplicateSuspected: duplicate_suspected,
    DuplicateDecided: duplicate_decided,
    CaseOpened: case_opened,
    NeedRecorded: need_recorded,
    NeedResolved: cases.need_resolved,
    InterviewHeld: cases.interview_held,
    VulnerabilityFlagged: cases.vulnerability_flagged,
    VulnerabilityLifted: cases.vulnerability_lifted,
    CaseworkerAssigned: cases.caseworker_assigned,
    PlanAgreed: cases.plan_agreed,
    GoalSet: cases.goal_set,
    GoalReviewed: cases.goal_reviewed,
    CaseSuspended: cases.case_suspended,
    CaseResumed: cases.case_resumed,
    CaseClosed: cases.case_closed,
    CaseReopened: cases.case_reopened,
    ConsentAnswered: cases.consent_answered,
    ConsentWithdrawn: cases.consent_withdrawn,
}
