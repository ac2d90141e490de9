"""The role of the city's own tools: it reads what was published, and sees nothing else."""

from psycopg import Connection, sql


def let_read(conn: Connection, runtime_role: str | None) -> None:
    """Let the role `<runtime role>_reader` read the views of `published`, when there is one.

    As the owner. Whoever administers the server makes the role, once:
    `create role togheter_comune_reporting_reader login password '…'`.
    """
    role = f"{runtime_role}_reader"
    known = conn.execute("select from pg_roles where rolname = %s", [role]).fetchone()
    if known is None:
        return
    names = {
        "role": sql.Identifier(role),
        "database": sql.Identifier(conn.info.dbname),
    }
    with conn.transaction():
        for statement in (
            "grant connect on database {database} to {role}",
            "grant usage on schema published to {role}",
            "grant select on all tables in schema published to {role}",
        ):
            conn.execute(sql.SQL(statement).format(**names))
