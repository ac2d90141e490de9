"""Reading the file: records, places, keys, damaged rows, files that are no register."""

import re
from pathlib import Path

import pytest

from togheter_intake import summary
from togheter_intake.mapping import load_mapping, with_columns
from togheter_intake.problems import Problem
from togheter_intake.refused import RefusedRows, open_refused
from togheter_intake.register import RawRow, RegisterError, read_register

MAPPING = load_mapping()
HEADER = [names[0] for names in MAPPING.columns.values()]
WIDTH = len(HEADER)


def line(**fields: str) -> str:
    values = {"on": "2021-05-01", "door": "Porta", "kind": "informazione", **fields}
    return ";".join(values.get(field, "") for field in MAPPING.columns)


def read(*lines: str, end: str = "\n", header: str = ";".join(HEADER)) -> list[RawRow]:
    return list(read_register(end.join([header, *lines, ""]).encode(), MAPPING))


def test_a_row_knows_its_number_and_its_line() -> None:
    rows = read(line(note='"uno\ndue\ntre"'), line(door="B"), "", line(door="C"))
    assert [(row.number, row.line, row.text("door")) for row in rows] == [
        (1, 2, "Porta"),
        (2, 5, "B"),
        (3, 7, "C"),
    ]
    assert rows[0].text("note") == "uno\ndue\ntre"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_one(end: str) -> None:
    assert [row.text("door") for row in read(line(), line(door="B"), end=end)] == ["Porta", "B"]


def test_line_ends_may_be_mixed_and_the_last_may_lack() -> None:
    data = f"{';'.join(HEADER)}\r\n{line()}\n{line(door='B')}\r\n{line(door='C')}".encode()
    assert [row.text("door") for row in read_register(data, MAPPING)] == ["Porta", "B", "C"]


def test_a_byte_order_mark_and_spaces_in_the_header_are_nothing() -> None:
    header = "\ufeff" + ";".join(f" {name.upper().replace('_', ' ')} " for name in HEADER)
    assert read(line(door="B"), header=header)[0].text("door") == "B"


def test_the_line_that_excel_writes_for_the_separator_is_skipped() -> None:
    assert len(read(line(), header="sep=;\n" + ";".join(HEADER))) == 1


def test_empty_lines_rows_of_empty_cells_and_repeated_headers_are_skipped() -> None:
    rows = read("", line(), "   ", ";" * (WIDTH - 1), ";".join(HEADER), line(door="B"))
    assert [row.text("door") for row in rows] == ["Porta", "B"]


def test_columns_may_stand_in_another_order_with_others_between() -> None:
    header = ";".join(["etichetta", *reversed(HEADER)])
    cells = ";".join(["x", *reversed(line(door="B").split(";"))])
    rows = read(cells, header=header)
    assert rows[0].text("door") == "B"
    assert rows[0].key == read(line(door="B"))[0].key


def test_quoted_cells_are_unquoted_as_written() -> None:
    rows = read(line(note='"a;b ""c"" \'d\'"'), line(note='a"b'), line(note='""'))
    assert [row.text("note") for row in rows] == ["a;b \"c\" 'd'", 'a"b', ""]


def test_an_unclosed_quotation_mark_spoils_one_row_only() -> None:
    rows = read(
        line(door="A"),
        line(door="B", note='"mai chiusa'),
        line(door="C"),
        line(door="D", needs='"casa; lavoro"'),
        line(door="E", note='"su\ndue righe"'),
    )
    assert [row.text("door") for row in rows] == ["A", "B", "C", "D", "E"]
    assert [row.number for row in rows] == [1, 2, 3, 4, 5]
    assert [row.line for row in rows] == [2, 3, 4, 5, 6]
    damaged = [row for row in rows if row.damage]
    assert len(damaged) == 1
    assert damaged[0].damage is not None
    assert (damaged[0].damage.column, damaged[0].damage.code) == ("note", "quotes_unbalanced")


def test_an_unclosed_quotation_mark_on_the_last_row_spoils_that_row_only() -> None:
    rows = read(line(door="A"), line(door="B", needs='"casa; lavoro'), line(door="C"))
    assert [(row.text("door"), row.damage is not None) for row in rows] == [
        ("A", False),
        ("B", True),
        ("C", False),
    ]
    assert rows[1].damage is not None
    assert rows[1].damage.column == "bisogni"


def test_text_behind_a_closing_quotation_mark_spoils_the_row_at_that_cell() -> None:
    rows = read(line(family='"Al" Masri'), line(door="B"))
    assert rows[0].damage is not None
    assert rows[0].damage.column == "cognome"
    assert rows[1].damage is None


def test_keys_are_the_same_at_every_reading_and_equal_rows_have_different_ones() -> None:
    first, second = (read(line(), line(), line(door="B")) for _ in range(2))
    assert [row.key for row in first] == [row.key for row in second]
    assert len({row.key for row in first}) == 3
    assert all(len(row.key) == 64 for row in first)


def test_a_key_does_not_depend_on_other_rows_spaces_or_line_ends() -> None:
    alone = read(line(door="B"))[0].key
    assert read(line(), line(door=" B "), end="\r\n")[1].key == alone


def refuse(rows: list[RawRow], path: Path) -> bytes:
    with open_refused(path) as file:
        refused = RefusedRows(file, rows[0].layout)
        for row in rows:
            refused.write(row, [Problem("sesso", "x", "=1+1 non va", "scrivi F")])
    return path.read_bytes()


def test_refused_rows_come_back_with_their_keys_and_cells(tmp_path: Path) -> None:
    rows = read(
        line(note='"=1+1; a\r\nb"', family=" Al-Masri", given="' OR 1"),
        line(),
        line(),
        line(note="a;b;c"),
        line(note='"mai'),
    )
    data = refuse(rows, tmp_path / "rifiutate.csv")
    again = list(read_register(data, MAPPING))
    assert [row.key for row in again] == [row.key for row in rows]
    assert [row.cells for row in again] == [row.cells for row in rows]
    assert again[0].layout.header == rows[0].layout.header
    twice = list(read_register(refuse(again, tmp_path / "ancora.csv"), MAPPING))
    assert [(row.key, row.cells) for row in twice] == [(row.key, row.cells) for row in rows]


def test_a_corrected_row_keeps_its_key(tmp_path: Path) -> None:
    rows = read(line(sex="boh"))
    data = refuse(rows, tmp_path / "rifiutate.csv").replace(b"boh", b"F")
    again = list(read_register(data, MAPPING))
    assert again[0].text("sex") == "F"
    assert again[0].key == rows[0].key


def test_what_we_write_beside_a_refused_row_is_no_formula(tmp_path: Path) -> None:
    text = refuse(read(line()), tmp_path / "r.csv").decode("utf-8-sig")
    assert text.splitlines()[0].startswith(
        "togheter_chiave;togheter_riga;togheter_linea;togheter_colonna;"
    )
    assert ";'=1+1 non va;" in text


def test_a_key_that_stands_twice_or_was_changed_is_refused(tmp_path: Path) -> None:
    data = refuse(read(line(), line(door="B")), tmp_path / "r.csv").decode("utf-8-sig").splitlines()
    doubled = "\n".join([*data, data[1], data[2].replace(data[2][:64], "no")])
    rows = list(read_register(doubled.encode(), MAPPING))
    assert [row.damage.code if row.damage else None for row in rows] == [
        None,
        None,
        "key_repeated",
        "key_malformed",
    ]
    assert rows[2].damage is not None
    assert rows[2].damage.column == "togheter_chiave"


def test_an_emptied_row_of_the_refused_file_is_skipped(tmp_path: Path) -> None:
    data = refuse(read(line()), tmp_path / "r.csv").decode("utf-8-sig").splitlines()
    emptied = ";".join([*data[1].split(";")[:5], *[""] * WIDTH])
    assert list(read_register("\n".join([data[0], emptied]).encode(), MAPPING)) == []


def test_a_file_of_windows_is_read() -> None:
    data = "\n".join([";".join(HEADER), line(family="Traoré", note="perché – “sì”")]).encode(
        "cp1252"
    )
    register = read_register(data, MAPPING)
    assert register.encoding == "cp1252"
    assert [row.text("family") for row in register] == ["Traoré"]


def test_rows_of_windows_in_a_file_of_utf_8_do_not_garble_the_others() -> None:
    header = [";".join(HEADER).encode()]
    ours = [line(family="Traoré").encode()] * 3
    theirs = [line(family="Keïta").encode("cp1252")] * 4
    register = read_register(b"\n".join([*header, *ours, *theirs]), MAPPING)
    assert register.encoding == "utf-8"
    assert [row.text("family") for row in register] == ["Traoré"] * 3 + ["Ke\udcefta"] * 4


def test_a_spoilt_byte_in_a_file_of_utf_8_spoils_its_cell_only(tmp_path: Path) -> None:
    data = "\n".join([";".join(HEADER), line(family="Traoré"), line(given="Naïma"), line(note="è")])
    register = read_register(data.encode().replace("ï".encode(), b"\xef"), MAPPING)
    assert register.encoding == "utf-8"
    rows = list(register)
    assert [row.text("family") for row in rows] == ["Traoré", "", ""]
    assert "\udcef" in rows[1].text("given")
    again = list(read_register(refuse(rows, tmp_path / "r.csv"), MAPPING))
    assert [row.cells for row in again] == [row.cells for row in rows]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "vuoto"),
        (b"\n\n", "vuoto"),
        (";".join(HEADER).encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04zip", "foglio elettronico"),
        (",".join(HEADER).encode(), "separatore"),
        ("\t".join(HEADER).encode(), "separatore"),
        (";".join(HEADER[1:]).encode(), "«data»"),
        (";".join([*HEADER, "porta"]).encode(), "2 volte"),
        (";".join(HEADER).encode() + b"\nabc\x81\xe8", "byte"),
    ],
)
def test_a_file_that_is_no_such_register_is_refused_in_one_sentence(
    data: bytes, words: str
) -> None:
    with pytest.raises(RegisterError, match=words):
        read_register(data, MAPPING)


def test_the_error_of_an_encoding_names_byte_and_line() -> None:
    data = (";".join(HEADER) + "\n\n").encode() + b"ab\x8d"
    with pytest.raises(RegisterError, match=f"byte {len(data) - 1}, riga 3"):
        read_register(data, MAPPING)


def test_a_missing_column_names_the_mapping() -> None:
    with pytest.raises(RegisterError, match=r"«sportello».*porte-sociali\.toml"):
        read_register(";".join(HEADER).encode(), with_columns(MAPPING, {"door": "sportello"}))


def test_a_missing_file_is_said() -> None:
    with pytest.raises(RegisterError, match="niente"):
        read_register(Path("/non/c/niente.csv"), MAPPING)


def test_a_register_is_read_from_a_path_as_often_as_wanted(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("\n".join([";".join(HEADER), line(), line()]), "utf-8")
    register = read_register(path, MAPPING)
    assert register.lines == 3
    assert [row.key for row in register] == [row.key for row in register]


def test_every_warning_has_words_for_the_summary() -> None:
    """A code that nobody explains is of no use at a desk."""
    folder = Path(summary.__file__).parent
    text = "".join(path.read_text("utf-8") for path in folder.glob("*.py"))
    codes = set(re.findall(r'warn\(\s*"?[a-z_]+"?,\s*"([a-z_]+)"', text))
    assert {"birth_remark", "identifier_other", "expiry_month"} <= codes
    assert codes <= summary.WARNINGS.keys()
