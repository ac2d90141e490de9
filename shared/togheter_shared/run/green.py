"""Make a process cooperative before anything else is imported: eventlet, and psycopg with it."""

import os
import sys
import warnings

_COOPERATIVE = "wait_selector"


class GreenNotReady(Exception):
    """This process would stand still at every query; the text says what to do."""


def prepare_green() -> None:
    """Patch the standard library for eventlet and make psycopg wait cooperatively.

    Call it first in a process that serves the web, before psycopg is imported by anybody. Raises
    `GreenNotReady` when it comes too late.
    """
    if "psycopg" not in sys.modules:
        os.environ["PSYCOPG_WAIT_FUNC"] = _COOPERATIVE
    with warnings.catch_warnings():  # that eventlet is in maintenance mode, we know
        warnings.simplefilter("ignore")
        import eventlet

    eventlet.monkey_patch()
    assert_green()


def assert_green() -> None:
    """Raise `GreenNotReady` unless waiting for the database lets other requests go on."""
    from eventlet.patcher import is_monkey_patched
    from psycopg import waiting

    way_out = (
        "call togheter_shared.run.green.prepare_green() first in the process, before any import "
        "of psycopg"
    )
    if not (is_monkey_patched("select") and is_monkey_patched("thread")):
        raise GreenNotReady(f"the standard library is not patched for eventlet; {way_out}")
    if waiting.wait is not waiting.wait_selector:
        name = getattr(waiting.wait, "__name__", "?")
        raise GreenNotReady(
            f"psycopg waits with {name}, which blocks every other request of the process; "
            f"{way_out}, or set PSYCOPG_WAIT_FUNC={_COOPERATIVE} in its environment"
        )
    import selectors

    if getattr(waiting, "DefaultSelector", None) is not selectors.DefaultSelector:
        raise GreenNotReady(f"psycopg was imported before eventlet patched selectors; {way_out}")
