"""Every contract of the network, for those who read more than one service."""

from togheter_shared.contracts import courses, intake, intake_cases, referrals
from togheter_shared.contracts.contract import registry

EVERY = registry(intake.CONTRACTS, intake_cases.CONTRACTS, referrals.CONTRACTS, courses.CONTRACTS)
