"""The command `expire-offers`, to run daily: what nobody answered goes to the next in line."""

from datetime import date, datetime
from uuid import uuid4

import click
from psycopg import Connection

from togheter_courses.commands import ExpireOffers
from togheter_courses.editions import EDITION
from togheter_courses.service import SERVICE
from togheter_shared.log.feed import wake
from togheter_shared.log.store import Context, execute
from togheter_shared.run.cli import Program


def expire(conn: Connection, today: date) -> int:
    """End the offers that expired before `today`; returns in how many editions. Safe to repeat."""
    rows = conn.execute(
        "select distinct edition_id from enrolment where state = 'offered'"
        " and offer_expires_on < %s order by edition_id",
        [today],
    ).fetchall()
    context = Context(actor="togheter-courses expire-offers", correlation_id=uuid4())
    for (edition_id,) in rows:
        execute(conn, SERVICE, EDITION, edition_id, ExpireOffers(on=today), context)
    if rows:
        wake(conn)
    return len(rows)


@click.command("expire-offers")
@click.option(
    "--today",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day that counts as today; the machine's when it is left out.",
)
@click.pass_obj
def expire_offers(program: Program, today: datetime | None) -> None:
    """End offers of places that nobody answered in time, and offer them to the next in line."""
    with program.database() as conn:
        found = expire(conn, today.date() if today else date.today())
    click.echo(f"editions with expired offers: {found}")
