"""The reporting service: it writes nothing, reads everything, and folds it into views."""

from togheter_reporting.projection import project
from togheter_shared.contracts.all import EVERY
from togheter_shared.contracts.contract import Registry
from togheter_shared.log.service import Service

SERVICE = Service(
    name="reporting",
    writes=Registry(()),
    reads=EVERY,
    packages=("togheter_shared.log", "togheter_reporting"),
    subscriptions=("reporting",),
    project=project,
)
