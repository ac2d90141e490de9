"""The reporting service: it writes nothing, reads everything, and folds it into views."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from psycopg import Connection

from togheter_reporting.projection import project
from togheter_shared.contracts.all import EVERY
from togheter_shared.contracts.contract import Registry
from togheter_shared.log.service import Service

if TYPE_CHECKING:
    from togheter_reporting.delivery import Mail


def _background(conn: Connection, stopping: Callable[[], bool]) -> bool:
    # Only here: the web of the service has no need of solvers and sheets.
    from togheter_reporting.parts import turn
    from togheter_reporting.schedule import run_due

    turn(conn)
    return run_due(conn, stopping, _mail())


@cache
def _mail() -> "Mail | None":
    from togheter_reporting.schedule_commands import mail_of
    from togheter_shared.run.settings import read

    return mail_of(read(service="reporting"))


SERVICE = Service(
    name="reporting",
    writes=Registry(()),
    reads=EVERY,
    packages=("togheter_shared.log", "togheter_reporting"),
    subscriptions=("reporting",),
    project=project,
    background=_background,
)
