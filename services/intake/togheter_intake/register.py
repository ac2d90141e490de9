"""Reading a register kept in a spreadsheet and saved as CSV: records with their place in the file.

The reader is stricter and more patient than a common CSV reader: a quotation mark that is never
closed spoils one line, not the rest of the file.
"""

import codecs
import io
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from togheter_intake.mapping import Mapping
from togheter_intake.problems import Problem, shown
from togheter_intake.rowkeys import KEY, OWN_COLUMNS, RowKeys
from togheter_intake.spelling import fold, without_marks

_MULTIBYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_HIGH = re.compile(rb"[\x80-\xff]")
_NOT_CP1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_CHUNK = 1 << 20
_LONGEST_RECORD = 1 << 17


class RegisterError(Exception):
    """The file as a whole cannot be read; the message says where, and the way out."""


@dataclass(frozen=True)
class Layout:
    """The columns of one file."""

    header: tuple[str, ...]
    """As written, without the columns that we added to refused rows."""
    places: dict[str, int]
    """Field of the mapping → position in `RawRow.cells`."""
    blank: int = 0
    """Columns without a header behind the last one that has one."""

    def column(self, field: str) -> str:
        """The header of a field as the file writes it."""
        return self.header[self.places[field]] if field in self.places else field


@dataclass(frozen=True)
class RawRow:
    """One record: `number` 1 is the first after the header, `line` the line on which it begins."""

    number: int
    line: int
    key: str
    cells: tuple[str, ...]
    layout: Layout
    damage: Problem | None = None
    """Why the record cannot be read at all; its cells are then a guess."""

    def text(self, field: str) -> str:
        place = self.layout.places.get(field)
        return self.cells[place] if place is not None and place < len(self.cells) else ""


class Register:
    """A register ready to be read, as often as wanted. Raises RegisterError when it is none."""

    def __init__(self, source: bytes | Path, mapping: Mapping) -> None:
        self.source = source
        self.mapping = mapping
        with self._open() as file:
            self.encoding, self.lines = _encoding(file, mapping)
        with self._text() as text:
            self._columns, blank = self._header(_records(text, mapping.delimiter))
        self._kept = tuple(i for i, name in enumerate(self._columns) if name not in OWN_COLUMNS)
        self._key = self._columns.index(KEY) if KEY in self._columns else None
        self.layout = self._layout(tuple(self._columns[i] for i in self._kept), blank)

    def __iter__(self) -> Iterator[RawRow]:
        keys = RowKeys()
        with self._text() as text:
            records = _records(text, self.mapping.delimiter)
            self._header(records)
            for number, (line, cells, broken) in enumerate(records, start=1):
                kept = [cells[i] for i in self._kept if i < len(cells)]
                kept += cells[len(self._columns) :]
                if any(cell.strip() for cell in kept) and not self._is_header(kept):
                    place = self._key
                    given = cells[place] if place is not None and place < len(cells) else ""
                    yield self._row(number, line, given.strip(), kept, broken, keys)

    def _row(
        self,
        number: int,
        line: int,
        given: str,
        kept: list[str],
        broken: int | None,
        keys: RowKeys,
    ) -> RawRow:
        row = RawRow(number, line, "", tuple(kept), self.layout)
        rest = kept[len(self._kept) :]
        fields = [(field, row.text(field)) for field in self.layout.places]
        key, damage = keys.key(given, fields, rest if any(rest) else ())
        if broken is not None:
            column = self._columns[min(broken, len(self._columns) - 1)]
            damage = Problem(
                self.layout.header[-1] if column in OWN_COLUMNS else column,
                "quotes_unbalanced",
                "una virgoletta si apre e non si chiude, o si chiude in mezzo al testo",
                'se il testo contiene virgolette, scrivile doppie ("") e chiudi la cella tra '
                "virgolette; controlla che la riga sia intera",
            )
        return RawRow(number, line, key, row.cells, self.layout, damage)

    def _open(self) -> BinaryIO:
        if isinstance(self.source, bytes):
            return io.BytesIO(self.source)
        try:
            return self.source.open("rb")
        except OSError as error:
            raise RegisterError(f"{self.source}: {error.strerror}") from error

    def _text(self) -> io.TextIOWrapper:
        errors = "surrogateescape" if self.encoding == "utf-8" else "strict"
        encoding = "utf-8-sig" if self.encoding == "utf-8" else self.encoding
        return io.TextIOWrapper(self._open(), encoding=encoding, errors=errors, newline="")

    def _header(
        self, records: Iterator[tuple[int, list[str], int | None]]
    ) -> tuple[list[str], int]:
        for _, cells, _ in records:
            if any(cell.strip() for cell in cells) and not cells[0].startswith("sep="):
                names = [without_marks(cell).strip() for cell in cells]
                while not names[-1]:
                    names.pop()
                return names, len(cells) - len(names)
        raise RegisterError("il file è vuoto: la prima riga deve contenere le intestazioni")

    def _is_header(self, kept: list[str]) -> bool:
        """A header repeated in the middle, as pasting two sheets together leaves it."""
        header = self.layout.header
        if fold(kept[0]) != fold(header[0]):
            return False
        return [fold(cell) for cell in kept if cell.strip()] == [fold(name) for name in header]

    def _layout(self, header: tuple[str, ...], blank: int) -> Layout:
        mapping = self.mapping
        places: dict[str, int] = {}
        folded = [_header_form(name) for name in header]
        missing = []
        for field, names in mapping.columns.items():
            found = [i for i, name in enumerate(folded) if name in set(map(_header_form, names))]
            if len(found) > 1:
                raise RegisterError(
                    f"l'intestazione «{header[found[0]]}» compare {len(found)} volte: lasciane una"
                )
            if found:
                places[field] = found[0]
            elif field not in mapping.optional:
                missing.append(" o ".join(f"«{name}»" for name in names))
        if missing and len(header) == 1:
            raise RegisterError(
                f"la prima riga ha una sola colonna, {shown(header[0])}: il separatore è "
                f"«{mapping.delimiter}»? Salva il file con quel separatore, o cambia "
                f"register.delimiter in {mapping.source}"
            )
        if missing:
            raise RegisterError(
                f"mancano le colonne {', '.join(missing)}, che {mapping.source} prevede; ci sono: "
                f"{', '.join(header)}. Correggi la prima riga, o la sezione [columns] della "
                "mappatura"
            )
        return Layout(header, places, blank)


def _header_form(name: str) -> str:
    return " ".join(fold(name).replace("_", " ").split())


def read_register(source: bytes | Path, mapping: Mapping) -> Register:
    """The register in a file; iterate over it for its rows. Memory does not grow with the file, but
    for some hundred bytes per row that tell equal rows apart."""
    return Register(source, mapping)


def _encoding(file: BinaryIO, mapping: Mapping) -> tuple[str, int]:
    """The encoding and the number of lines; raises RegisterError when there is none.

    A file whose high bytes are mostly well-formed UTF-8 is UTF-8 with some broken rows: read as
    cp1252, which hardly ever has such sequences, every good accent of it would be garbled.
    """
    head = file.read(4)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise RegisterError("il file è in UTF-16: salvalo come CSV UTF-8")
    if head in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
        raise RegisterError("il file è un foglio elettronico: salvalo come CSV UTF-8")
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = newlines = lines = multibyte = high = 0
    wrong: tuple[int, int] | None = None
    not_cp1252: tuple[int, int] | None = None
    while chunk := file.read(_CHUNK):
        if wrong is None:
            held = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                at = max(error.start - held, 0)
                wrong = (offset + at, newlines + chunk.count(b"\n", 0, at) + 1)
        found = _NOT_CP1252.search(chunk) if not_cp1252 is None else None
        if found:
            not_cp1252 = (
                offset + found.start(),
                newlines + chunk.count(b"\n", 0, found.start()) + 1,
            )
        well_formed = sum(map(len, _MULTIBYTE.findall(chunk)))
        multibyte += well_formed
        high += len(_HIGH.findall(chunk)) - well_formed
        offset += len(chunk)
        newlines += chunk.count(b"\n")
        lines = newlines + (not chunk.endswith(b"\n"))
    if wrong is None and decoder.getstate()[0]:
        wrong = (offset, lines)
    if wrong is None or multibyte > high:
        return "utf-8", lines
    if "cp1252" in mapping.encodings and not_cp1252 is None:
        return "cp1252", lines
    at, line = not_cp1252 if not_cp1252 and "cp1252" in mapping.encodings else wrong
    raise RegisterError(
        f"il file non è in {' né in '.join(mapping.encodings)}: byte {at}, riga {line}; salvalo "
        "come CSV UTF-8"
    )


def _records(text: io.TextIOWrapper, delimiter: str) -> Iterator[tuple[int, list[str], int | None]]:
    """(line, cells, None) of each record; of a broken one its first line, and the cell at fault."""
    waiting: deque[str] = deque()
    line = 0

    def next_line() -> str:
        return waiting.popleft() if waiting else text.readline()

    while first := next_line():
        line += 1
        if not first.strip():
            continue
        if '"' not in first:
            yield line, first.rstrip("\r\n").split(delimiter), None
            continue
        lines = [first]
        cells, complete, broken = _cells(first, delimiter)
        size = len(first)
        while not complete and not broken and size < _LONGEST_RECORD and (more := next_line()):
            lines.append(more)
            size += len(more)
            if '"' in more:
                cells, complete, broken = _cells("".join(lines), delimiter)
        if complete:
            yield line, cells, None
            line += len(lines) - 1
        else:
            waiting.extendleft(reversed(lines[1:]))
            yield line, first.rstrip("\r\n").split(delimiter), max(len(cells) - 1, 0)


def _cells(record: str, delimiter: str) -> tuple[list[str], bool, bool]:
    """The cells, whether the record is complete, and whether a quotation mark stands wrong."""
    cells: list[str] = []
    at, end = 0, len(record)
    while True:
        if record.startswith('"', at):
            close = at + 1
            while (close := record.find('"', close)) >= 0 and record.startswith('"', close + 1):
                close += 2
            if close < 0:
                return [*cells, record[at:]], False, False
            cells.append(record[at + 1 : close].replace('""', '"'))
            at = close + 1
            while at < end and record[at] in " \t" and record[at] != delimiter:
                at += 1
            if at < end and record[at] not in (delimiter, "\r", "\n"):
                return cells, False, True
        else:
            stop = record.find(delimiter, at)
            newline = _end_of_line(record, at)
            if stop < 0 or stop > newline:
                cells.append(record[at:newline])
                return cells, True, False
            cells.append(record[at:stop])
            at = stop
        if at >= end or record[at] != delimiter:
            return cells, True, False
        at += 1


def _end_of_line(record: str, start: int) -> int:
    found = [i for i in (record.find("\r", start), record.find("\n", start)) if i >= 0]
    return min(found, default=len(record))
