"""How often somebody may fail to sign in: a growing pause, by account and by address."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a web process must be made cooperative before psycopg is imported
    from psycopg import Connection

FORGOTTEN_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Limit:
    """After `free` failures each further one closes the door: 1 s, 2 s, 4 s … at most `longest`."""

    key: bytes
    free: int
    longest: int


def limits_for(what: str, name: str, address: str) -> tuple[Limit, ...]:
    """The limits on one attempt.

    An account is closed for long to the address that fails, and for seconds only to everybody else:
    who fails on purpose must not be able to keep its owner out.
    """
    place = _network(address)
    return (
        Limit(_key(what, "both", name, place), free=5, longest=900),
        Limit(_key(what, "address", place), free=30, longest=900),
        Limit(_key(what, "account", name), free=100, longest=10),
    )


def take(conn: Connection, limits: Sequence[Limit]) -> int:
    """Count an attempt before it is tried, so that many at once count too.

    Returns the seconds to wait when one of the limits is reached: nothing is counted then.
    """
    with conn.transaction():
        conn.execute(
            "delete from attempt where last_at < now() - make_interval(secs => %s)",
            (FORGOTTEN_SECONDS,),
        )
        for limit in sorted(limits, key=lambda limit: limit.key):  # one order: no deadlock
            conn.execute(
                "insert into attempt values (%s, 0, clock_timestamp(), '-infinity')"
                " on conflict do nothing",
                (limit.key,),
            )
        keys = [limit.key for limit in limits]
        row = conn.execute(
            """
            select ceil(extract(epoch from max(closed_until) - clock_timestamp()))
            from (select closed_until from attempt where key = any(%s) order by key for update) as a
            where closed_until > clock_timestamp()
            """,
            (keys,),
        ).fetchone()
        if row is not None and row[0] is not None:
            return max(1, int(row[0]))
        for limit in limits:
            conn.execute(
                """
                update attempt set failures = failures + 1, last_at = clock_timestamp(),
                    closed_until = case when failures + 1 < %(free)s then closed_until
                        else clock_timestamp() + make_interval(
                            secs => least(%(longest)s, power(2, least(failures + 1 - %(free)s, 20)))
                        ) end
                where key = %(key)s
                """,
                {"key": limit.key, "free": limit.free, "longest": limit.longest},
            )
    return 0


def give_back(conn: Connection, limits: Sequence[Limit]) -> None:
    """The attempt was good: it does not count, and what this address failed before is forgotten."""
    both, *others = limits
    conn.execute("delete from attempt where key = %s", (both.key,))
    conn.execute(
        "update attempt set failures = greatest(failures - 1, 0), closed_until = '-infinity'"
        " where key = any(%s)",
        ([limit.key for limit in others],),
    )


def _key(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode(errors="replace")).digest()


def _network(address: str) -> str:
    """The address; of IPv6 the network that one subscriber has whole."""
    try:
        found = ip_address(address)
    except ValueError:
        return "unknown"
    return str(found) if found.version == 4 else str(ip_network((found, 64), strict=False))
