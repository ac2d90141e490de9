"""The privacy key of a test session, as environment variables of its processes."""

from togheter_shared.privacy.organisation import VARIABLE, generate

PRIVACY = {VARIABLE: "env:TOGHETER_TEST_KEY", "TOGHETER_TEST_KEY": generate()}
"""Services need a key to start, and stores to seal; a process of a test gets the session's own."""
