"""`import`: rows a second of a whole register, beside the same cells inserted row by row."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql
from tests.benchmarks import register
from tests.benchmarks.measure import (
    FOLDER,
    ROUNDS,
    Result,
    database,
    in_turns,
    postgres,
    result,
    say,
)
from tests.benchmarks.network import prepared

ROWS = 5_000
SOME_REFUSED = 3  # the exit code of an import that refused rows


def run() -> Iterator[Result]:
    """`togheter-intake import`, as a person starts it, into a new database in each round."""
    path = FOLDER / "register.csv"
    FOLDER.mkdir(parents=True, exist_ok=True)
    columns = list(register.write(path, ROWS)[0])
    accepted: list[int] = []
    numbers = count()
    with postgres() as server, ExitStack() as stack:
        plain = stack.enter_context(database(server, "rows"))
        with psycopg.connect(plain.owner_url, autocommit=True) as conn:
            cells = sql.SQL(", ").join(
                sql.SQL("{} text").format(sql.Identifier(c)) for c in columns
            )
            conn.execute(
                sql.SQL("create table register_row (id bigserial primary key, {})").format(cells)
            )

        def ours() -> float:
            with prepared(server, "ponte", "intake", "amqp://nobody@127.0.0.1:1/") as intake:
                for name in register.doors():
                    intake.run("doors", "add", name)
                refused = FOLDER / f"refused-{next(numbers)}.csv"
                began = time.monotonic()
                told = intake.run(
                    *("import", str(path), "--json", "--refused", str(refused)),
                    codes=(0, SOME_REFUSED),
                )
                seconds = time.monotonic() - began
                refused.unlink(missing_ok=True)
            summary = json.loads(told)
            if summary["rows"] != ROWS or summary["accepted"] < ROWS * 0.8:
                raise RuntimeError(f"this register should have been taken in: {told}")
            accepted.append(summary["accepted"])
            return ROWS / seconds

        rates = in_turns(
            {"ours": ours, "csv+insert": lambda: insert(plain.owner_url, path)},
            min(ROUNDS, 5),
            warm_up=False,
        )
    say(f"  accepted {accepted[-1]:,} of {ROWS:,}")
    yield result(
        "import",
        rates["ours"],
        rates["csv+insert"],
        peer_name="psycopg, one insert for each row, nothing checked",
        unit="rows/s",
        n=ROWS * len(rates["ours"]),
    )


def insert(url: str, path: Path) -> float:
    """The same cells as they are, a transaction for each row, as durable as the import's."""
    began = time.monotonic()
    done = 0
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("set synchronous_commit to off")
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter=";")
            names = list(reader.fieldnames or ())
            statement = sql.SQL("insert into register_row ({}) values ({})").format(
                sql.SQL(", ").join(map(sql.Identifier, names)),
                sql.SQL(", ").join([sql.Placeholder()] * len(names)),
            )
            for row in reader:
                conn.execute(statement, list(row.values()), prepare=True)
                done += 1
    return done / (time.monotonic() - began)
