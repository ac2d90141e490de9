"""amqps: the broker is who its name says, or nothing is said to it."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from togheter_shared.log import bus


def certificate(folder: Path, name: str) -> Path:
    """A self-signed certificate for `name` with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@contextmanager
def listener(pem: Path) -> Iterator[tuple[int, list[bytes]]]:
    """A server with that certificate; it collects what it is told after the handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    heard: list[bytes] = []

    def serve(listening: socket.socket) -> None:
        while True:
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            with plain:
                try:
                    with context.wrap_socket(plain, server_side=True) as secure:
                        heard.append(secure.recv(100))
                except OSError:
                    continue

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=[listening])
        thread.start()
        try:
            yield listening.getsockname()[1], heard
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize(("name", "greeted"), [("localhost", True), ("other.example", False)])
def test_only_a_broker_with_the_right_name_is_spoken_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, greeted: bool
) -> None:
    pem = certificate(tmp_path, name)
    monkeypatch.setenv("TOGHETER_BROKER_CA", str(pem))
    with (
        listener(pem) as (port, heard),
        pytest.raises(bus.BROKER_ERRORS),
        bus.connect(f"amqps://ponte:secret@localhost:{port}/togheter"),
    ):
        pass
    assert any(said.startswith(b"AMQP") for said in heard) == greeted


def test_a_broker_of_an_unknown_authority_is_not_spoken_to(tmp_path: Path) -> None:
    with (
        listener(certificate(tmp_path, "localhost")) as (port, heard),
        pytest.raises(bus.BROKER_ERRORS),
        bus.connect(f"amqps://ponte:secret@localhost:{port}/togheter"),
    ):
        pass
    assert heard == []
