"""Importing a register into a real PostgreSQL: exact numbers, each row once for ever."""

import csv
import io
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import psycopg
import pytest

from togheter_intake.doors import DOOR, OpenDoor
from togheter_intake.importing import ImportStopped, import_rows
from togheter_intake.mapping import Mapping, load_mapping, read_mapping
from togheter_intake.problems import Problem
from togheter_intake.refused import RefusedRows, open_refused
from togheter_intake.register import RawRow, read_register
from togheter_intake.service import SERVICE
from togheter_intake.summary import Summary
from togheter_shared.log.store import Context, execute, load
from togheter_shared.testing.databases import ServiceDatabase
from togheter_shared.testing.privacy import PRIVACY

REGISTER = Path(__file__).parents[3] / "deploy/demo/registro-porte-sociali.csv"
MAPPING = load_mapping()
TODAY = date(2026, 1, 31)
ME = Context(actor="test", correlation_id=uuid4())
DOORS = (
    "Porta Sociale Bucaletto",
    "Porta Sociale Centro",
    "Porta Sociale Macchia Romana",
    "Porta Sociale Rione Cocuzzo",
)
BAD_CELLS = {
    "data": {"03/05/2087": "03/05/2021"},
    "sesso": {"boh": ""},
    "data_nascita": {"30/02/1990": "28/02/1990", "14/03/2091": "14/03/1991"},
    "cittadinanza": {"Atlantide": "Albania"},
    "minuti": {"-30": "30", "mezz'ora": "30"},
    "porta": {"Porta Sociale Nord-Est": "Porta Sociale Centro"},
}
"""What is wrong in the demonstration's register, found by eye, and what it should be."""
BAD_CODE = "DLLMMD94C12Z343"
"""A codice fiscale that stands there with wrong check letters only."""
HEADER = (
    "data;porta;operatore;cognome;nome;sesso;data_nascita;stato_nascita;cittadinanza;"
    "codice_fiscale;titolo_soggiorno;scadenza_titolo;telefono;lingue;mediatore;contatto_sicuro;"
    "bisogni;tipo_accesso;minuti;note"
)


def by_hand(path: Path = REGISTER) -> list[dict[str, str]]:
    text = path.read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))


def wrong_columns(row: dict[str, str]) -> set[str]:
    found = {column for column, cells in BAD_CELLS.items() if row[column] in cells}
    return found | ({"codice_fiscale"} if row["codice_fiscale"].startswith(BAD_CODE) else set())


def good_rows() -> list[dict[str, str]]:
    return [row for row in by_hand() if not wrong_columns(row)]


def code_of(row: dict[str, str]) -> str:
    return "".join(filter(str.isalnum, row["codice_fiscale"])).upper()


def named(row: dict[str, str]) -> bool:
    return bool(row["nome"].strip() or row["cognome"].strip())


def open_doors(conn: psycopg.Connection, names: Iterable[str] = DOORS) -> None:
    """Doors whose ids follow from their names, so that two databases can be compared."""
    for name in names:
        door_id = uuid5(UUID(int=7), name)
        execute(conn, SERVICE, DOOR, door_id, OpenDoor(door_id=door_id, name=name), ME)


@dataclass
class Taken:
    """What came of an import."""

    summary: Summary
    refused: list[tuple[RawRow, list[Problem]]] = field(default_factory=list)

    def write(self, path: Path, mapping: Mapping = MAPPING) -> Path:
        with open_refused(path) as file:
            rows = RefusedRows(file, self.refused[0][0].layout, mapping.delimiter)
            for raw, problems in self.refused:
                rows.write(raw, problems)
        return path


def take(
    conn: psycopg.Connection,
    source: Path | str = REGISTER,
    mapping: Mapping = MAPPING,
    **options: Any,
) -> Taken:
    """Import a file, or the text of one."""
    register = read_register(source if isinstance(source, Path) else source.encode(), mapping)
    refused: list[tuple[RawRow, list[Problem]]] = []
    summary = import_rows(
        conn,
        register,
        mapping,
        ME,
        TODAY,
        lambda raw, problems: refused.append((raw, list(problems))),
        **options,
    )
    return Taken(summary, refused)


def lines(*rows: dict[str, str]) -> str:
    """A register of these rows; what they leave out is an access on a plain day."""
    header = HEADER.split(";")
    plain = {"data": "01/02/2022", "porta": DOORS[0], "tipo_accesso": "informazione"}
    text = io.StringIO()
    writer = csv.DictWriter(text, header, delimiter=";", restval="")
    writer.writeheader()
    writer.writerows(plain | row for row in rows)
    return text.getvalue()


TABLES = {
    "person": "person_id",
    "identifier": "kind, value",
    "access": "access_id",
    "case_file": "case_id",
    "need": "need_id",
}


def state(conn: psycopg.Connection) -> dict[str, list[Any]]:
    """Everything that an import leaves, but for moments and random ids."""
    found = {
        table: conn.execute(f"select * from {table} order by {key}").fetchall()
        for table, key in TABLES.items()
    }
    found["person_key"] = conn.execute(  # hashed with a secret of each database
        "select person_id, count(*) from person_key group by 1 order by 1"
    ).fetchall()
    found["suspicion"] = conn.execute(
        "select least(person_id, other_id) as one, greatest(person_id, other_id) as two, score,"
        " reasons, decision from suspicion order by 1, 2"
    ).fetchall()
    found["events"] = conn.execute(
        "select stream_id, stream_version, type, type_version, subject_id, open"
        " from event_log order by stream_id, stream_version"
    ).fetchall()
    streams = sorted({row[0] for row in found["events"]})
    found["said"] = [load(conn, SERVICE.writes, stream)[0] for stream in streams]
    return found


def count(conn: psycopg.Connection, table: str) -> int:
    row = conn.execute(f"select count(*) from {table}").fetchone()
    assert row is not None
    return int(row[0])


# --- the demonstration's register -----------------------------------------------------------------


def test_every_good_row_gets_in_and_nothing_else(conn: psycopg.Connection) -> None:
    open_doors(conn)
    taken = take(conn)
    good = good_rows()
    assert (len(good), taken.summary.accepted, taken.summary.refused) == (392, 392, 28)
    assert [raw.number for raw, _ in taken.refused] == [
        number for number, row in enumerate(by_hand(), start=1) if wrong_columns(row)
    ]
    for raw, problems in taken.refused:
        hand = by_hand()[raw.number - 1]
        assert {problem.column for problem in problems} == wrong_columns(hand)
    assert taken.summary.refused_by_column == {
        "porta": 3, "data": 3, "sesso": 3, "data_nascita": 5, "cittadinanza": 4,
        "codice_fiscale": 8, "minuti": 2,
    }  # fmt: skip


def test_the_views_equal_a_count_by_hand(conn: psycopg.Connection) -> None:
    open_doors(conn)
    summary = take(conn).summary
    good = good_rows()
    codes = {code_of(row) for row in good if code_of(row)}
    nameless = [row for row in good if not code_of(row)]
    people = len(codes) + sum(map(named, nameless))
    anonymous = sum(not named(row) for row in nameless)
    assert (count(conn, "person"), summary.registered) == (people, people)
    assert (count(conn, "identifier"), count(conn, "access")) == (len(codes), len(good))
    assert summary.anonymous == anonymous
    assert summary.recognised == len(good) - anonymous - people
    assert {
        row[0]: row[1]
        for row in conn.execute(
            "select d.name, count(*) from access join door d using (door_id) group by 1"
        )
    } == Counter(row["porta"] for row in good)
    unnamed = conn.execute("select count(*) from access where person_id is null").fetchone()
    assert unnamed == (anonymous,)
    assert count(conn, "suspicion") == summary.suspected > 0
    assert count(conn, "event_log") == count(conn, "pending")


def test_imported_twice_nothing_changes(conn: psycopg.Connection) -> None:
    open_doors(conn)
    take(conn)
    before = state(conn)
    again = take(conn).summary
    assert (again.accepted, again.already, again.refused) == (0, 392, 28)
    assert state(conn) == before


def test_a_dry_run_says_the_same_and_changes_nothing(conn: psycopg.Connection) -> None:
    open_doors(conn)
    before = state(conn)
    said = take(conn, dry_run=True).summary
    assert state(conn) == before
    assert count(conn, "command_receipt") == 0
    done = take(conn).summary
    assert said.document() | {"dry_run": False} == done.document()


def test_corrected_rows_get_in_once_whichever_file_comes_again(
    conn: psycopg.Connection, tmp_path: Path
) -> None:
    open_doors(conn)
    refused = take(conn).write(tmp_path / "r.csv")
    corrected = tmp_path / "corretto.csv"
    corrected.write_text(mend(refused.read_text("utf-8-sig")), "utf-8-sig")
    summary = take(conn, corrected).summary
    assert (summary.rows, summary.accepted, summary.refused) == (28, 28, 0)
    assert count(conn, "access") == 420
    before = state(conn)
    for file, already in ((REGISTER, 420), (corrected, 28), (refused, 28)):
        again = take(conn, file).summary
        assert (again.already, again.accepted, again.refused) == (already, 0, 0)
    assert state(conn) == before


def mend(text: str) -> str:
    """The refused rows with every bad cell replaced, as somebody would in a spreadsheet."""
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=";")
    writer.writeheader()
    for row in rows:
        for column, cells in BAD_CELLS.items():
            row[column] = cells.get(row[column], row[column])
        if row["codice_fiscale"].startswith(BAD_CODE):
            row["codice_fiscale"] = ""
        writer.writerow(row)
    return out.getvalue()


def test_two_imports_of_a_file_at_the_same_moment_are_one(
    make_intake: Callable[[], ServiceDatabase],
) -> None:
    alone, together = make_intake(), make_intake()
    with psycopg.connect(alone.url, autocommit=True) as conn:
        open_doors(conn)
        take(conn)
        wanted = state(conn)
    summaries: list[Summary] = []

    def run() -> None:
        with psycopg.connect(together.url, autocommit=True) as conn:
            summaries.append(take(conn).summary)

    with psycopg.connect(together.url, autocommit=True) as conn:
        open_doors(conn)
        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(summary.accepted for summary in summaries) == 392
        found = state(conn)
    for table in ("access", "person_key", "identifier"):
        assert len(found[table]) == len(wanted[table])
    assert [row[0] for row in found["access"]] == [row[0] for row in wanted["access"]]


def test_two_registers_that_know_the_same_people_register_them_once(
    intake: ServiceDatabase,
) -> None:
    codes = [f"STP{number:013}" for number in range(60)]
    summaries: list[Summary] = []

    def run(day: str, wanted: list[str]) -> None:
        text = lines(*({"codice_fiscale": code, "data": day} for code in wanted))
        with psycopg.connect(intake.url, autocommit=True) as conn:
            summaries.append(take(conn, text).summary)

    with psycopg.connect(intake.url, autocommit=True) as conn:
        open_doors(conn)
        threads = [
            threading.Thread(target=run, args=(f"0{number}/02/2022", codes)) for number in (1, 2, 3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [summary.refused for summary in summaries] == [0, 0, 0]
        assert sum(summary.registered for summary in summaries) == len(codes)
        assert (count(conn, "person"), count(conn, "access")) == (len(codes), 3 * len(codes))


# --- small registers ------------------------------------------------------------------------------


def test_only_an_identifier_recognises_and_what_differs_is_a_warning(
    conn: psycopg.Connection,
) -> None:
    open_doors(conn)
    ann = {"nome": "Amina", "cognome": "Diallo", "data_nascita": "01/05/1990"}
    code = {"codice_fiscale": "STP1234567890123"}
    summary = take(
        conn,
        lines(
            ann | code,
            {"nome": "Fatou", "cognome": "Keita", "data_nascita": "12/12/1970"} | code,
            ann,
        ),
    ).summary
    assert (summary.registered, summary.recognised, summary.suspected) == (2, 1, 1)
    assert summary.warnings["recognised_other_name"] == 1
    assert summary.warnings["recognised_other_birth"] == 1
    row = conn.execute(
        "select given_name, birth_year from person p where exists"
        " (select 1 from identifier i where i.person_id = p.person_id)"
    ).fetchone()
    assert row == ("Amina", 1990)


def test_the_latest_day_holds_whatever_the_order_of_the_rows(conn: psycopg.Connection) -> None:
    open_doors(conn)
    code = {"codice_fiscale": "STP1234567890123"}
    take(
        conn,
        lines(
            code | {"data": "01/03/2022", "telefono": "333 1234567", "titolo_soggiorno": "lavoro"},
            code | {"data": "01/02/2022", "telefono": "333 7654321", "titolo_soggiorno": "studio"},
            code | {"data": "01/04/2022", "contatto_sicuro": "non chiamare"},
            code | {"data": "15/03/2022", "contatto_sicuro": "telefono"},
        ),
    )
    row = conn.execute("select phones, title, title_on, safe_channel from person").fetchone()
    assert row == (["+393331234567"], "work", date(2022, 3, 1), "none")


def test_an_empty_cell_takes_nothing_away(conn: psycopg.Connection) -> None:
    open_doors(conn)
    code = {"codice_fiscale": "STP1234567890123"}
    said = {"telefono": "333 1234567", "titolo_soggiorno": "lavoro", "contatto_sicuro": "sms"}
    take(conn, lines(code | said, code | {"data": "01/04/2022"}))
    row = conn.execute("select phones, title, safe_channel from person").fetchone()
    assert row == (["+393331234567"], "work", "sms")


def test_needs_open_one_case_and_keep_their_ids(conn: psycopg.Connection) -> None:
    open_doors(conn)
    code = {"codice_fiscale": "STP1234567890123"}
    take(
        conn,
        lines(
            code | {"bisogni": "lavoro; casa", "data": "05/02/2022"},
            code | {"bisogni": "casa", "data": "01/02/2022"},
            {"bisogni": "casa"},
        ),
    )
    assert count(conn, "case_file") == 1
    rows = conn.execute("select area, first_on, last_on, stated from need order by 1").fetchall()
    assert rows == [
        ("housing", date(2022, 2, 1), date(2022, 2, 5), 2),
        ("work", date(2022, 2, 5), date(2022, 2, 5), 1),
    ]


def test_an_unknown_door_is_said_beside_the_other_problems_of_the_row(
    conn: psycopg.Connection,
) -> None:
    open_doors(conn)
    taken = take(
        conn,
        lines(
            {"porta": "Porta Sociale Centr", "sesso": "boh"},
            {"porta": " porta  sociale CENTRO "},
        ),
    )
    assert taken.summary.accepted == 1
    [(_, problems)] = taken.refused
    assert [problem.column for problem in problems] == ["sesso", "porta"]
    door = problems[1]
    assert door.code == "door_unknown"
    assert "«Porta Sociale Centro»?" in door.value_problem
    assert "`doors add`" in door.way_out and DOORS[3] in door.way_out


def test_a_door_that_is_opened_lets_its_rows_in(conn: psycopg.Connection) -> None:
    open_doors(conn)
    text = lines({"porta": "Porta Sociale Nord-Est"})
    assert take(conn, text).summary.refused == 1
    open_doors(conn, ["Porta Sociale Nord-Est"])
    assert take(conn, text).summary.accepted == 1


def test_equal_anonymous_visits_of_a_day_are_several(conn: psycopg.Connection) -> None:
    open_doors(conn)
    assert take(conn, lines({}, {}, {})).summary.anonymous == 3
    assert take(conn, lines({}, {}, {}, {})).summary.document()["already"] == 3
    assert count(conn, "access") == 4


AMINA = {"nome": "Amina", "cognome": "Diallo", "data_nascita": "01/05/1990"}


def corrected(taken: Taken, folder: Path, **cells: str) -> Path:
    """The refused file of an import with these cells in every row."""
    path = taken.write(folder / f"{uuid4()}.csv")
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline=""), delimiter=";"))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(row | cells for row in rows)
    return path


BAD, GOOD = {"minuti": "-30"}, {"minuti": "30"}


@pytest.mark.parametrize("master_first", [False, True])
def test_a_row_corrected_in_both_places_is_one_visit_and_equal_rows_are_several(
    conn: psycopg.Connection, tmp_path: Path, master_first: bool
) -> None:
    open_doors(conn)
    registers = ("bad", "good bad", "bad good", "bad bad", "good bad good", "bad good bad")
    for number, (words, person) in enumerate(product(registers, (AMINA, {})), start=1):
        row = person | {"data": f"{number:02}/02/2022"} | ({"nome": f"A{number}"} if person else {})
        first = lines(*(row | (GOOD if word == "good" else BAD) for word in words.split()))
        visits = len(words.split())
        master = lines(*(row | GOOD for _ in range(visits)))
        refused = corrected(take(conn, first), tmp_path, **GOOD)
        files = [master, refused] if master_first else [refused, master]
        people = count(conn, f"person where given_name <> 'A{number}'")
        for file in (*files, *files, first, *reversed(files), first):
            assert take(conn, file).summary.refused == 0
            assert count(conn, f"access where on_day = '2022-02-{number:02}'") == visits
            assert count(conn, "person") == people + (visits if person else 0)


def test_files_in_any_order_change_nothing_after_the_first_pass(
    make_intake: Callable[[], ServiceDatabase], tmp_path: Path
) -> None:
    one_by_one = [(BAD, BAD, GOOD), (GOOD, BAD, GOOD), (GOOD, GOOD, GOOD)]
    masters: list[Path | str] = [lines(*rows) for rows in one_by_one]
    for seed in range(3):
        with psycopg.connect(make_intake().url, autocommit=True) as conn:
            open_doors(conn)
            files = [*masters, corrected(take(conn, masters[0]), tmp_path, **GOOD)]
            order = random.Random(seed)
            order.shuffle(files)
            for _ in range(2):
                for file in files:
                    take(conn, file)
                assert count(conn, "access") == 3
                order.shuffle(files)


def test_the_refused_file_of_a_dry_run_takes_no_equal_row_away(
    conn: psycopg.Connection, tmp_path: Path
) -> None:
    open_doors(conn)
    register = lines(GOOD, BAD)
    refused = corrected(take(conn, register, dry_run=True), tmp_path, **GOOD)
    for file in (refused, register, refused, register):
        assert take(conn, file).summary.refused == 0
    assert count(conn, "access") == 2


def test_a_row_added_to_the_refused_file_is_a_visit_of_its_own(
    conn: psycopg.Connection, tmp_path: Path
) -> None:
    open_doors(conn)
    refused = corrected(take(conn, lines(BAD)), tmp_path, **GOOD)
    text = refused.read_text("utf-8").splitlines()
    new = ";".join(["", *text[1].split(";")[1:]])
    for rows in ([text[1], new], [new, text[1]]):
        refused.write_text("\n".join([text[0], *rows]), "utf-8")
        take(conn, refused)
        assert count(conn, "access") == 2


def test_a_changed_row_is_a_new_row_and_is_said(conn: psycopg.Connection) -> None:
    open_doors(conn)
    code = {"codice_fiscale": "STP1234567890123"}
    twice_in_one_register = lines(AMINA, AMINA | {"note": "di nuovo"}, code, {})
    assert not take(conn, twice_in_one_register).summary.warnings
    changed = lines(AMINA | {"note": "cambiata"}, code | {"note": "x"}, {"note": "y"})
    rehearsed = take(conn, changed, dry_run=True).summary
    summary = take(conn, changed).summary
    assert rehearsed.warnings == summary.warnings == {"same_visit_again": 2}
    assert summary.accepted == 3
    assert not take(conn, lines(AMINA | {"data": "02/02/2022"})).summary.warnings


def test_statistics_of_empty_tables_do_not_make_an_import_quadratic(
    conn: psycopg.Connection, intake: ServiceDatabase
) -> None:
    open_doors(conn)
    with psycopg.connect(intake.owner_url, autocommit=True) as owner:
        owner.execute("analyze")
    rows = 1500
    people = (
        {"nome": f"Nome{n}", "cognome": f"Cognome{n}", "data_nascita": "01/05/1990",
         "codice_fiscale": f"STP{n:013}", "bisogni": "lavoro"}
        for n in range(rows)
    )  # fmt: skip
    assert take(conn, lines(*people)).summary.registered == rows
    assert conn.execute("show enable_seqscan").fetchone() == ("on",)
    conn.execute("select pg_stat_force_next_flush()")
    found = conn.execute(
        "select relname, seq_tup_read from pg_stat_user_tables where seq_tup_read > %s", [20 * rows]
    ).fetchall()
    assert found == []


NAMES = (
    ("Amina", "Diallo"), ("", "Null"), ("O'Neill", ""), ("N", ""), ("محمد", "عبد الله"),
    ("李", "小龍"), ("Наталія", "Шевченко"), ("ইসলাম", "নাসরিন"), ("አበበ", "ቢቂላ"),
    ("ਗੁਰਪ੍ਰੀਤ", ""), ("Nguyễn", "Thị"), ("João", "D'Ávila-Sá"), ("ابو", "بكر الصديق بن أبي قحافة"),
    ("𞤀𞤥𞤭𞤲𞤢", ""),
)  # fmt: skip


def test_a_name_in_every_script_gets_in_as_it_was_given(conn: psycopg.Connection) -> None:
    open_doors(conn)
    summary = take(conn, lines(*({"nome": g, "cognome": f} for g, f in NAMES))).summary
    assert (summary.registered, summary.refused) == (len(NAMES), 0)
    rows = conn.execute("select given_name, family_name from person").fetchall()
    assert set(rows) == set(NAMES)


HOSTILE = (
    "'; drop table person; --",
    '=HYPERLINK("http://example.invalid")',
    "<script>alert(1)</script>",
    "{{ 7 * 7 }} %s %(x)s ${x}",
    "../../etc/passwd",
    "a" * 10_000,
    "\u202eoiggaizrevor\u202c e \ufeff",
)


def test_hostile_notes_are_stored_and_do_nothing(conn: psycopg.Connection) -> None:
    open_doors(conn)
    taken = take(conn, lines(*({"note": note} for note in HOSTILE)))
    assert taken.summary.accepted == len(HOSTILE)
    stored = {row[0] for row in conn.execute("select note from access").fetchall()}
    assert stored == {note.strip() for note in HOSTILE}
    logged = conn.execute("select count(*) from event_log where open::text like '%script%'")
    assert logged.fetchone() == (0,)


ENGLISH = b"""
[register]
delimiter = ","
date_order = "mdy"
[columns]
on = "Date"
door = "Desk"
full_name = ["Full name", "Name"]
identifier = "Tax code"
kind = "Visit"
needs = "Needs"
[kinds]
information = ["information"]
request = ["request"]
[areas]
housing = ["home", "house"]
work = ["job"]
"""


def test_a_register_of_another_shape_needs_a_mapping_and_no_code(
    conn: psycopg.Connection,
) -> None:
    open_doors(conn, ["Main desk"])
    mapping = read_mapping(ENGLISH, "english.toml")
    text = (
        "Visit,Desk,Date,Name,Tax code,Needs\n"
        'information,Main Desk,02/13/2022,Amina Diallo,STP1234567890123,"home; job"\n'
        "request,main desk,2022-02-14,,stp 1234567890123,\n"
        "request,Side desk,02/14/2022,,,\n"
        "chat,Main desk,13/02/2022,,,\n"
    )
    taken = take(conn, text, mapping)
    assert (taken.summary.registered, taken.summary.recognised) == (1, 1)
    assert [[p.column for p in problems] for _, problems in taken.refused] == [
        ["Desk"], ["Date", "Visit"],
    ]  # fmt: skip
    assert count(conn, "need") == 2


def test_no_receipt_and_no_open_field_holds_a_name(conn: psycopg.Connection) -> None:
    open_doors(conn)
    take(conn, lines({"nome": "Zzyzxname", "codice_fiscale": "STP1234567890123"}))
    for table, column in (
        ("command_receipt", "key || coalesce(answer::text, '')"),
        ("event_log", "open::text"),
    ):
        rows = conn.execute(f"select {column} from {table}").fetchall()
        assert not [row for row in rows if "Zzyzx" in row[0] or "1234567890123" in row[0]]


def test_a_lost_database_says_where_and_a_new_run_goes_on(
    conn: psycopg.Connection, intake: ServiceDatabase
) -> None:
    open_doors(conn)
    wanted = [row for row in by_hand() if not wrong_columns(row)]
    other = psycopg.connect(intake.url, autocommit=True)

    def cut(line: int, summary: Summary) -> None:
        if summary.rows == 100:
            other.close()

    with pytest.raises(ImportStopped) as stopped:
        take(other, progress=cut)
    assert stopped.value.number == 101
    assert count(conn, "access") == stopped.value.summary.accepted < len(wanted)
    summary = take(conn).summary
    assert summary.already == stopped.value.summary.accepted
    assert count(conn, "access") == len(wanted)


# --- the command ----------------------------------------------------------------------------------


def environment(database: ServiceDatabase, folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "TOGHETER_ORG": "ponte",
        "DATABASE_URL": database.url,
        "PYTHONDONTWRITEBYTECODE": "1",
        "AMQP_URL": "amqp://nobody:nothing@127.0.0.1:1/",
        "TOGHETER_NETWORK": str(folder),
        "TOGHETER_KEYS": str(folder),
        **PRIVACY,
    }


def command(
    database: ServiceDatabase,
    folder: Path,
    *arguments: str | Path,
    largest_file: int | None = None,
) -> "subprocess.CompletedProcess[str]":
    limit = [] if largest_file is None else ["prlimit", f"--fsize={largest_file}"]
    return subprocess.run(
        [*limit, sys.executable, "-m", "togheter_intake.cli", *map(str, arguments)],
        env=environment(database, folder),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_from_doors_to_corrected_rows(intake: ServiceDatabase, tmp_path: Path) -> None:
    register = tmp_path / "registro.csv"
    register.write_bytes(REGISTER.read_bytes())
    for name in (*DOORS, DOORS[0].upper()):
        done = command(intake, tmp_path, "doors", "add", name, "--language", "it")
        assert done.returncode == 0, done.stderr
    listed = json.loads(command(intake, tmp_path, "doors", "list", "--json").stdout)
    assert [door["name"] for door in listed] == sorted(DOORS)
    rehearsed = command(intake, tmp_path, "import", register, "--dry-run", "--json")
    assert rehearsed.returncode == 3, rehearsed.stderr
    done = command(intake, tmp_path, "import", register)
    assert done.returncode == 3, done.stderr
    assert "accolte: 392" in done.stdout and "colonna porta: 3" in done.stdout
    refused = tmp_path / "registro.rifiutate.csv"
    assert refused.stat().st_mode & 0o077 == 0
    refused.write_text(mend(refused.read_text("utf-8-sig")), "utf-8-sig")
    mended = refused.read_bytes()
    assert command(intake, tmp_path, "import", register).returncode == 3
    assert refused.with_suffix(".precedente.csv").read_bytes() == mended
    refused.write_bytes(mended)
    again = command(intake, tmp_path, "import", refused, "--json")
    assert (again.returncode, json.loads(again.stdout)["accepted"]) == (0, 28), again.stderr
    assert command(intake, tmp_path, "import", register).returncode == 0


def test_what_cannot_be_read_is_said_and_changes_nothing(
    intake: ServiceDatabase, tmp_path: Path
) -> None:
    register = tmp_path / "registro.csv"
    missing = command(intake, tmp_path, "import", register)
    assert missing.returncode == 1 and "questo file non c'è" in missing.stderr
    register.write_text(lines({}).replace("porta;", "sportello;"))
    unknown = command(intake, tmp_path, "import", register)
    assert unknown.returncode == 1 and "«porta»" in unknown.stderr
    option = command(intake, tmp_path, "import", register, "--door-column", "sportello")
    assert option.returncode == 3 and "rifiutate: 1" in option.stdout
    wrong = command(intake, tmp_path, "import", register, "--mapping", register)
    assert wrong.returncode == 2 and "TOML" in wrong.stderr
    itself = command(
        intake, tmp_path, "import", register, "--door-column", "sportello", "--refused", register
    )
    assert itself.returncode == 2
    assert "Traceback" not in missing.stderr + unknown.stderr + wrong.stderr + itself.stderr


def test_what_is_no_register_is_said_in_the_words_of_who_imports(
    intake: ServiceDatabase, tmp_path: Path
) -> None:
    for arguments, code, words in (
        ((), 2, "manca il nome del registro"),
        ((tmp_path,), 1, "è una cartella"),
        (("/dev/zero",), 1, "non è un file"),
        ((REGISTER, "--mapping", "/dev/zero"), 2, "non è un file"),
    ):
        done = command(intake, tmp_path, "import", *arguments)
        assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    other = tmp_path / "altro.csv"
    other.write_text("Visit|Desk\n1|2\n")
    assert "--mapping" in command(intake, tmp_path, "import", other).stderr
    for delimiter in (",", "\t"):
        other.write_text(lines({"note": delimiter}).replace(";", delimiter))
        done = command(intake, tmp_path, "import", other, "--json")
        assert json.loads(done.stdout)["refused_by_code"] == {"door_unknown": 1}, done.stderr
        assert "il separatore" in done.stderr


def test_refused_rows_that_have_no_place_stop_the_import_before_it_begins(
    intake: ServiceDatabase, conn: psycopg.Connection, tmp_path: Path
) -> None:
    open_doors(conn)
    folder = tmp_path / "cartella"
    folder.mkdir()
    for place in (folder, Path("/dev/full"), tmp_path / "manca/r.csv", Path("/proc/r.csv")):
        done = command(intake, tmp_path, "import", REGISTER, "--refused", place)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert str(place) in done.stderr and "con --refused" in done.stderr
    assert count(conn, "access") == 0
    assert list(tmp_path.iterdir()) == [folder]


def test_a_disk_that_is_full_stops_the_import_and_leaves_no_half_file(
    intake: ServiceDatabase, conn: psycopg.Connection, tmp_path: Path
) -> None:
    open_doors(conn)
    arguments = ("import", REGISTER, "--refused", tmp_path / "r.csv")
    for dry_run in (["--dry-run"], []):
        done = command(intake, tmp_path, *arguments, *dry_run, largest_file=2000)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert "File too large" in done.stderr
        assert ("restano" in done.stderr) is not bool(dry_run)
        assert list(tmp_path.iterdir()) == []
        assert (count(conn, "access") > 0) is not bool(dry_run)
    assert command(intake, tmp_path, *arguments).returncode == 3
    assert [path.name for path in tmp_path.iterdir()] == ["r.csv"]
    assert count(conn, "access") == 392


def test_killed_in_the_middle_and_run_again_it_ends_as_if_nothing_had_been(
    make_intake: Callable[[], ServiceDatabase], tmp_path: Path
) -> None:
    whole, killed = make_intake(), make_intake()
    with (
        psycopg.connect(whole.url, autocommit=True) as one,
        psycopg.connect(killed.url, autocommit=True) as two,
    ):
        open_doors(one)
        open_doors(two)
        arguments = ("import", REGISTER, "--refused", tmp_path / "r.csv")
        assert command(whole, tmp_path, *arguments).returncode == 3
        for enough in (60, 200):
            kill_after(two, killed, tmp_path, enough, *arguments)
            assert enough <= count(two, "access") < 392
        done = command(killed, tmp_path, *arguments, "--json")
        assert done.returncode == 3, done.stderr
        summary = json.loads(done.stdout)
        assert summary["accepted"] + summary["already"] == 392
        assert summary["already"] >= 200
        assert state(two) == state(one)


def kill_after(
    conn: psycopg.Connection,
    database: ServiceDatabase,
    folder: Path,
    enough: int,
    *arguments: str | Path,
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "togheter_intake.cli", *map(str, arguments)],
        env=environment(database, folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while count(conn, "access") < enough:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
