"""Every contract of the network, for those who read more than one service."""

from togheter_shared.contracts import courses, intake, referrals
from togheter_shared.contracts.contract import registry

EVERY = registry(intake.CONTRACTS, referrals.CONTRACTS, courses.CONTRACTS)
