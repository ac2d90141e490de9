"""The servers that the network runs on: a PostgreSQL and a RabbitMQ of our own, or given ones."""

from togheter_shared.testing.postgres import (
    Postgres,
    postgres_status,
    remove_postgres,
    start_postgres,
    stop_postgres,
)
from togheter_shared.testing.processes import ServerError
from togheter_shared.testing.rabbitmq import (
    Broker,
    broker_status,
    remove_broker,
    start_broker,
    stop_broker,
)

__all__ = [
    "Broker",
    "Postgres",
    "ServerError",
    "broker_status",
    "postgres_status",
    "remove_broker",
    "remove_postgres",
    "start_broker",
    "start_postgres",
    "stop_broker",
    "stop_postgres",
]
