"""The part of intake's interface that takes registers in, and what all of the interface shares."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID, uuid4, uuid5

from psycopg import Connection
from psycopg.types.json import Jsonb

from togheter_intake import messages, queries
from togheter_intake.given import columns_of
from togheter_intake.jobs import stored_mapping
from togheter_intake.mapping import MappingError, read_mapping
from togheter_intake.service import SERVICE
from togheter_shared.contracts.schema import dump, load
from togheter_shared.decider import Rejected
from togheter_shared.run.carry import carry_out, scoped_key
from togheter_shared.run.http import Answer, Database, NotFound, Refusal, Request, api
from togheter_shared.run.operation import MIB

T = TypeVar("T")
READ, WRITE = "intake.read", "intake.write"
IMPORT_URL = "/api/v1/imports/<uuid:import_id>"
CSV = "text/csv; charset=utf-8"
TOML = "application/toml"
MAX_REGISTER = 50 * MIB

_IDS = UUID("f0e5f5c4-6d3f-5c0e-8d2c-5f6f1f0b2a77")
"""The namespace of the ids that are derived from an idempotency key."""
_UNKNOWN = frozenset({"person_unknown", "suspicion_unknown"})
_MAPPING_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,49}")


class ImportsWeb:
    """Registers, their refused rows and their mappings over HTTP."""

    database = Database()

    @api(
        "POST",
        "/api/v1/imports",
        scope=WRITE,
        summary="Import a register (CSV); the answer's id tells how it goes",
        body="text/csv",
        query=messages.ImportOptions,
        answer=messages.ImportStarted,
        status=202,
        max_body=MAX_REGISTER,
    )
    def start_import(self, request: Request) -> messages.ImportStarted:
        wanted: messages.ImportOptions = request.query
        columns = columns_of(wanted.column)
        import_id = new_id(request)

        def work(conn: Connection) -> messages.ImportStarted:
            try:
                stored_mapping(conn, wanted.mapping)
            except MappingError:
                raise Rejected("Questa mappatura non c'è.", "mapping_unknown", "mapping") from None
            conn.execute(
                "insert into import_job (job_id, asked_by, correlation_id, dry_run, columns,"
                " mapping, body) values (%s, %s, %s, %s, %s, %s, %s)",
                [
                    import_id,
                    request.actor,
                    request.correlation_id,
                    wanted.dry_run,
                    Jsonb(columns),
                    wanted.mapping,
                    request.raw,
                ],
            )
            return messages.ImportStarted(import_id=import_id)

        return self.carry_out(request, messages.ImportStarted, work)

    @api(
        "GET",
        "/api/v1/imports",
        scope=READ,
        summary="The latest imports",
        answer=messages.ImportAnswer,
        many=True,
    )
    def list_imports(self, request: Request) -> list[messages.ImportAnswer]:
        with self.database.connection() as conn:
            return queries.imports(conn)

    @api(
        "GET",
        IMPORT_URL,
        scope=READ,
        summary="How an import goes, and what became of it",
        answer=messages.ImportAnswer,
    )
    def read_import(self, request: Request) -> messages.ImportAnswer:
        with self.database.connection() as conn:
            found = queries.import_(conn, request.path["import_id"])
        if found is None:
            raise NotFound("import_unknown", "Questa importazione non esiste.")
        return found

    @api(
        "GET",
        f"{IMPORT_URL}/refused",
        scope=WRITE,
        summary="The refused rows, to correct and import again; kept a day longer, then removed",
        media=CSV,
    )
    def read_refused(self, request: Request) -> Answer:
        with self.database.connection() as conn:
            content = queries.take_refused(conn, request.path["import_id"])
        if content is None:
            raise NotFound(
                "no_refused_rows", "Per questa importazione non ci sono righe rifiutate."
            )
        name = f"rifiutate-{request.path['import_id']}.csv"
        return Answer(200, content, {"Content-Disposition": f'attachment; filename="{name}"'})

    @api(
        "PUT",
        "/api/v1/mappings/<name>",
        scope=WRITE,
        summary="Store a mapping file (TOML) under a name, for registers of another shape",
        body=TOML,
    )
    def store_mapping(self, request: Request) -> None:
        name = request.path["name"]
        if not _MAPPING_NAME.fullmatch(name):
            raise Rejected(
                "Il nome di una mappatura ha solo lettere minuscole, cifre e trattini.",
                "mapping_name",
                "name",
            )
        try:
            read_mapping(request.raw, name)
        except MappingError as error:
            raise Refusal(422, "mapping_wrong", str(error)) from None
        with self.database.connection() as conn:
            conn.execute(
                "insert into register_mapping (name, content) values (%s, %s)"
                " on conflict (name) do update set content = excluded.content,"
                " changed_at = clock_timestamp()",
                [name, request.raw.decode()],
            )

    # what the methods share

    def carry_out(self, request: Request, answer: type[T], work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction. Its answer is kept for whoever asks again with the same
        key, so it never holds anything about a person but ids."""
        with self.database.connection() as conn:
            try:
                document = carry_out(conn, SERVICE, request, lambda: dump(work(conn)))
            except Rejected as rejected:
                if rejected.code in _UNKNOWN and rejected.field is None:
                    raise NotFound(rejected.code, rejected.sentence) from None
                raise
        return load(answer, document)


def new_id(request: Request) -> UUID:
    """The id of what is made: the same whenever the same key comes again."""
    key = scoped_key(request)
    return uuid4() if key is None else uuid5(_IDS, key)
