"""An answer is due in working days."""

from datetime import date

import pytest

from togheter_referrals.states import after_working_days


@pytest.mark.parametrize(
    ("start", "due"),
    [
        (date(2026, 3, 2), date(2026, 3, 4)),  # Monday
        (date(2026, 3, 5), date(2026, 3, 9)),  # Thursday
        (date(2026, 3, 6), date(2026, 3, 10)),  # Friday
        (date(2026, 3, 7), date(2026, 3, 10)),  # Saturday
        (date(2026, 3, 8), date(2026, 3, 10)),  # Sunday
        (date(2026, 12, 31), date(2027, 1, 4)),  # a year ends
    ],
)
def test_two_working_days_pass_over_the_weekend(start: date, due: date) -> None:
    assert after_working_days(start, 2) == due


def test_no_working_days_are_the_day_itself() -> None:
    assert after_working_days(date(2026, 3, 7), 0) == date(2026, 3, 7)
