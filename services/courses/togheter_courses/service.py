"""The service courses, whole, as data."""

from togheter_courses.erasure import erase
from togheter_courses.reactions import seek_place
from togheter_courses.views import VIEWS
from togheter_shared.contracts import courses, referrals
from togheter_shared.contracts.contract import registry
from togheter_shared.contracts.referrals import PlaceSought
from togheter_shared.log.service import Refusal, Service

SERVICE = Service(
    name="courses",
    writes=registry(courses.CONTRACTS),
    reads=registry(referrals.CONTRACTS),
    packages=("togheter_shared.log", "togheter_courses"),
    views=VIEWS,
    subscriptions=("to",),
    reactions={PlaceSought: seek_place},
    erase=erase,
    refusals={
        "certificate_code_once": Refusal(
            sentence="Il codice dell'attestato è già stato usato: ripetere l'operazione.",
            code="code_used",
        ),
        "enrolment_pkey": Refusal(
            sentence="Questa iscrizione esiste già, in un'altra edizione.", code="enrolment_exists"
        ),
        "lesson_pkey": Refusal(
            sentence="Questa lezione esiste già, in un'altra edizione.", code="lesson_exists"
        ),
    },
)
