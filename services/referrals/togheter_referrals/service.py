"""The referrals service, whole, as literal data."""

from togheter_referrals.erasure import erase
from togheter_referrals.reactions import REACTIONS
from togheter_referrals.views import INBOX_VIEWS, VIEWS
from togheter_shared.contracts import courses, referrals
from togheter_shared.contracts.contract import registry
from togheter_shared.log.service import Service

SERVICE = Service(
    name="referrals",
    writes=registry(referrals.CONTRACTS),
    reads=registry(referrals.CONTRACTS, courses.CONTRACTS),
    packages=("togheter_shared.log", "togheter_referrals"),
    views=VIEWS,
    subscriptions=("directory", "to"),
    inbox_views=INBOX_VIEWS,
    reactions=REACTIONS,
    erase=erase,
)
