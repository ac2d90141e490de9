"""A release brought to a folder, or sent by mail."""

import hashlib
import json
import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import unquote, urlsplit

from psycopg import Connection

from togheter_reporting.disclosure.ledger import File, file_of, files

ATTACHED = ("pdf", "xlsx", "csv")
"""The files that go with a mail, by their ending."""
SECONDS = 30


class Undelivered(Exception):
    """A release did not arrive; the message says why, and names nobody."""


@dataclass(frozen=True, kw_only=True)
class Mail:
    """The server that takes mail, and whose address it comes from.

    `server` is `smtp://[user:password@]host[:port]`, with STARTTLS when the server has it, or
    `smtps://…`. A password is only told over TLS.
    """

    server: str = field(repr=False)
    sender: str


def deliver(conn: Connection, number: int, target: str, mail: Mail | None) -> None:
    """Bring the files of a release to `file:///folder` or `mailto:address`. Raises `Undelivered`.

    Safe to repeat: a file is replaced whole, and a mail has the same Message-ID again.
    """
    named = [name for name, *_ in files(conn, number)]
    found = [file for name in named if (file := file_of(conn, number, name)) is not None]
    scheme, _, rest = target.partition(":")
    if scheme == "file":
        _write(Path(unquote(urlsplit(target).path)), found)
    else:
        _send(rest, number, found, mail)


def _write(folder: Path, found: list[File]) -> None:
    try:
        for file in found:
            unfinished = folder / f".{file.name}.part"
            unfinished.write_bytes(file.body)
            unfinished.replace(folder / file.name)
    except OSError as error:
        raise Undelivered(
            f"the folder cannot be written ({error.strerror}); make it, for the service's user"
        ) from None


def _send(address: str, number: int, found: list[File], mail: Mail | None) -> None:
    if mail is None:
        raise Undelivered("there is no mail server; set TOGHETER_SMTP and TOGHETER_MAIL_FROM")
    try:
        with _connected(mail.server) as server:
            server.send_message(_message(address, number, found, mail.sender))
    except smtplib.SMTPRecipientsRefused as error:
        codes = sorted({code for code, _ in error.recipients.values()})
        raise Undelivered(f"the mail server refuses the recipient {codes}") from None
    except smtplib.SMTPResponseException as error:
        raise Undelivered(f"the mail server answers {error.smtp_code}") from None
    except (smtplib.SMTPException, OSError) as error:
        raise Undelivered(f"the mail server does not take mail ({type(error).__name__})") from None


def _connected(address: str) -> smtplib.SMTP:
    parts = urlsplit(address)
    host = parts.hostname or "localhost"
    context = ssl.create_default_context()
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            host, parts.port or 465, timeout=SECONDS, context=context
        )
    else:
        server = smtplib.SMTP(host, parts.port or 25, timeout=SECONDS)
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=context)
        elif parts.username:
            server.close()
            raise Undelivered("the mail server has no TLS, and would be told a password")
    if parts.username:
        server.login(unquote(parts.username), unquote(parts.password or ""))
    return server


def _message(address: str, number: int, found: list[File], sender: str) -> EmailMessage:
    by_ending = {file.name.rpartition(".")[2]: file for file in found}
    release = json.loads(by_ending["json"].body)
    message = EmailMessage()
    message["Subject"] = f"{release['title']}: pubblicazione n. {number}"
    message["From"] = sender
    message["To"] = address
    told = hashlib.sha256(address.encode()).hexdigest()[:16]
    message["Message-ID"] = f"<release-{number}-{told}@{sender.rpartition('@')[2]}>"
    lines = [f"{title}: {text}" for title, text in release["definitions"]]
    message.set_content("\n".join([*lines, "", *release["notes"]]) + "\n")
    for ending in ATTACHED:
        file = by_ending[ending]
        main, _, kind = file.media.partition(";")[0].partition("/")
        message.add_attachment(file.body, maintype=main, subtype=kind, filename=file.name)
    return message
