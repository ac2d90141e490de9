"""The service intake, whole, as data."""

from collections.abc import Callable

from psycopg import Connection

from togheter_intake.erasure import erase
from togheter_intake.views import VIEWS
from togheter_shared.contracts import intake, intake_cases
from togheter_shared.contracts.contract import registry
from togheter_shared.log.service import Refusal, Service

_NO_DOOR = Refusal(
    sentence="Questa Porta Sociale non esiste.", code="door_unknown", field="door_id"
)
_NO_PERSON = Refusal(sentence="Questa persona non è registrata.", code="person_unknown")


def _background(conn: Connection, stopping: Callable[[], bool]) -> bool:
    from togheter_intake.jobs import work_on_imports  # which needs this module

    return work_on_imports(conn, stopping)


SERVICE = Service(
    name="intake",
    writes=registry(intake.CONTRACTS, intake_cases.CONTRACTS),
    packages=("togheter_shared.log", "togheter_intake"),
    views=VIEWS,
    refusals={
        "door_name_once": Refusal(
            sentence="C'è già una Porta Sociale con questo nome.", code="door_exists"
        ),
        "suspicion_pair_once": Refusal(
            sentence="Per queste due persone il sospetto c'è già.", code="suspicion_exists"
        ),
        "access_door_known": _NO_DOOR,
        "person_door_known": _NO_DOOR,
        "case_door_known": _NO_DOOR,
        "access_person_known": Refusal(
            sentence="Questa persona non è registrata.", code="person_unknown", field="person_id"
        ),
        "case_person_known": _NO_PERSON,
        "suspicion_other_known": _NO_PERSON,
    },
    background=_background,
    erase=erase,
)
