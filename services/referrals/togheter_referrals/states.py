"""The states of a referral, the same words on both sides, and the days that an answer may take."""

from datetime import date, timedelta
from enum import StrEnum

ANSWER_WORKING_DAYS = 2
BIRTH_YEARS = range(1850, 2200)


class State(StrEnum):
    """Where a referral is. `told` of `AnswerReceived` is one of these words."""

    NONE = "none"
    """There is no such referral in this stream."""
    REQUESTED = "requested"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


def after_working_days(start: date, days: int) -> date:
    """The day that is `days` working days (Monday to Friday) after `start`.

    Public holidays count as working days: an answer is never due later than people expect it.
    """
    day = start
    while days:
        day += timedelta(days=1)
        if day.weekday() < 5:
            days -= 1
    return day
