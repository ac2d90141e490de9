"""HTTP itself, with limits: nameko's web server over a protocol that trusts no client."""

from __future__ import annotations

import io
import json
import re
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any

import eventlet
import structlog
from eventlet import wsgi
from eventlet.semaphore import Semaphore
from nameko.web.server import WebServer

from togheter_shared.run.logs import describe
from togheter_shared.run.operation import Refusal
from togheter_shared.run.problems import MEDIA, problem_of

MAX_CONNECTIONS = 1000
MAX_LINE = 8192
DRAIN_BYTES = 8 * 1_048_576
"""How much of a refused body is read and thrown away, so that the client gets to the answer."""
KEPT_UNREAD = 65_536
"""An unread body up to this size is skipped and the connection kept; with more it is closed."""
SLOWEST = 32_768
"""Bytes per second: a body may take the time-out, and its size divided by this."""

log: structlog.stdlib.BoundLogger = structlog.get_logger()
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class TimedReader(io.RawIOBase):
    """What a client sends, until a moment by which it must have been sent.

    A time-out of the socket alone starts again with every byte, and a client may send one byte
    each time.
    """

    def __init__(self, sock: Any, timeout: float) -> None:
        self._sock = sock
        self._timeout = timeout
        self._slowest = 0
        self.begin()

    def begin(self, slowest: int = 0) -> None:
        """Start the clock; with `slowest`, each of so many bytes adds a second to it."""
        self._deadline = monotonic() + self._timeout
        self._slowest = slowest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises `TimeoutError` when the time is over."""
        remaining = self._deadline - monotonic()
        if remaining <= 0:
            raise TimeoutError
        self._sock.settimeout(remaining)
        try:
            count: int = self._sock.recv_into(buffer)
        finally:
            self._sock.settimeout(self._timeout)
        if self._slowest:
            self._deadline += count / self._slowest
        return count


class Input(wsgi.Input):  # type: ignore[misc]
    """The body of a request, read once, whole and up to a limit."""

    def take(self, limit: int) -> bytes:
        """The body; raises `Refusal` when it is longer than `limit` or badly framed."""
        if self.chunked_input:
            return self._take_chunks(limit)
        if self.content_length > limit:
            raise Refusal(413, "too_large")
        body: bytes = self.read()
        if len(body) < self.content_length:
            raise Refusal(400, "bad_request")
        return body

    @property
    def unread(self) -> int:
        """How many bytes of the body are still to come; of chunks nobody knows, so it is many."""
        if self.chunked_input:
            return 0 if self.chunk_length == 0 else KEPT_UNREAD + 1
        return int(self.content_length - self.position)

    def _take_chunks(self, limit: int) -> bytes:
        if self.should_send_hundred_continue:
            self.send_hundred_continue_response()
            self.is_hundred_continue_response_sent = True
        found = bytearray()
        while size := self._chunk_size():
            if len(found) + size > limit:
                raise Refusal(413, "too_large")
            chunk = self.rfile.read(size)
            if len(chunk) < size or self.rfile.readline(3) not in (b"\r\n", b"\n"):
                raise Refusal(400, "bad_request")
            found += chunk
        for _ in range(20):  # trailers, which nobody reads
            if self._line() in (b"\r\n", b"\n"):
                self.chunk_length = 0  # eventlet's sign for: read to the end
                return bytes(found)
        raise Refusal(400, "bad_request")

    def _chunk_size(self) -> int:
        digits = self._line().split(b";", 1)[0].strip(b" \t\r\n")
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", digits):
            raise Refusal(400, "bad_request")
        return int(digits, 16)

    def _line(self) -> bytes:
        line: bytes = self.rfile.readline(1024)
        if not line.endswith(b"\n"):
            raise Refusal(400, "bad_request")
        return line


class Protocol(wsgi.HttpProtocol):  # type: ignore[misc]
    """One connection: time-outs that add up, strict framing, and no echo of what was sent."""

    def setup(self) -> None:
        self.connection = self.request
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self._timed = TimedReader(self.connection, self.server.socket_timeout)
        self.rfile = io.BufferedReader(self._timed, 65_536)
        self.wfile = self.connection.makefile("wb", self.wbufsize)
        self._drain = False

    def _read_request_line(self) -> bytes:
        self._timed.begin()  # an idle connection is closed after the same time
        try:
            line: bytes = self.rfile.readline(MAX_LINE)
        except ConnectionError:
            return b""
        if len(line) >= MAX_LINE:
            self.send_error(414)
            return b""
        self._timed.begin()
        return line

    def parse_request(self) -> bool:
        """Refuse what another server in front of us might understand in another way."""
        try:
            if not super().parse_request():
                return False
        except (wsgi.HeaderLineTooLong, wsgi.HeadersTooLarge):
            self.send_error(431)
            return False
        lengths = self.headers.get_all("content-length") or []
        encodings = self.headers.get_all("transfer-encoding") or []
        sound = (
            self.request_version in ("HTTP/1.0", "HTTP/1.1")
            and self.path.startswith("/")
            and not self.headers.defects
            and not self.headers.get_payload()
            and len(self.headers.get_all("host") or []) <= 1
            and len(lengths) <= 1
            and all(re.fullmatch(r"[0-9]{1,15}", length) for length in lengths)
            and [encoding.lower() for encoding in encodings] in ([], ["chunked"])
            and not (lengths and encodings)
            and not (encodings and self.request_version == "HTTP/1.0")
        )
        if not sound:
            self.send_error(400)
        return sound

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        theirs = environ["wsgi.input"]
        environ["wsgi.input"] = environ["eventlet.input"] = Input(
            theirs.rfile,
            theirs.content_length,
            self.connection,
            wfile=theirs.wfile,
            wfile_line=theirs.wfile_line,
            chunked_input=theirs.chunked_input,
        )
        environ["togheter.close"] = self._close_after
        self._timed.begin(SLOWEST)
        return environ

    def send_error(self, code: int, message: Any = None, explain: Any = None) -> None:
        """A refusal before there is a request; what was sent is neither shown nor logged."""
        self.close_connection = True
        self._drain = True
        problem = problem_of(Refusal(code, "too_large" if code in (414, 431) else "bad_request"))
        body = json.dumps(problem.document(), ensure_ascii=False).encode()
        self.wfile.write(
            b"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n"
            b"Connection: close\r\n\r\n%s"
            % (
                code,
                self.responses.get(code, ("Error",))[0].encode(),
                MEDIA.encode(),
                len(body),
                body,
            )
        )
        self.wfile.flush()
        log.info("request refused", status=code, instance=problem.instance)

    def log_message(self, *_: Any) -> None:
        """The standard library would write the request line to standard error."""

    def _close_after(self) -> None:
        self.close_connection = True
        self._drain = True

    def finish(self) -> None:
        try:
            if not self.wfile.closed:
                self.wfile.flush()
            if self._drain:
                self._read_rest()
        except (OSError, ValueError):
            pass  # the client has gone
        finally:
            for part in (self.wfile, self.rfile, self.connection):
                with suppress(OSError):  # its last bytes had nowhere to go
                    part.close()

    def _read_rest(self) -> None:
        """Closing with bytes unread resets the connection, and the client loses the answer."""
        self.connection.shutdown(socket.SHUT_WR)
        self._timed._timeout = min(2.0, self._timed._timeout)
        self._timed.begin()
        left = DRAIN_BYTES
        while left > 0 and (data := self.rfile.read1(65_536)):
            left -= len(data)


class Server(WebServer):  # type: ignore[misc]
    """nameko's web server with our protocol, our application, and a limit on connections.

    A connection that fails does not end the process (with nameko it would).
    """

    def __init__(self) -> None:
        super().__init__()
        self._starting = False
        self._room = Semaphore(MAX_CONNECTIONS)

    def start(self) -> None:
        if self._starting:
            return
        self._starting = True
        edge = self.container.config["togheter"]
        family = socket.AF_INET6 if ":" in edge.host else socket.AF_INET
        # eventlet's default would let two processes share a port, and neither would notice
        self._sock = eventlet.listen(
            (edge.host, edge.port), family=family, backlog=512, reuse_port=False
        )
        self._sock.settimeout(None)
        self._serv = wsgi.Server(
            self._sock,
            self._sock.getsockname(),
            edge.application(self),
            protocol=Protocol,
            debug=False,
            log_output=False,
            socket_timeout=edge.timeout,
            url_length_limit=MAX_LINE,
        )
        self._gt = self.container.spawn_managed_thread(self.run)

    def run(self) -> None:
        while self._is_accepting:
            self._room.acquire()
            try:
                sock, address = self._sock.accept()
            except OSError as error:  # aborted before we came to it, or no descriptors left
                self._room.release()
                if not self._is_accepting:
                    return
                log.warning("connection not accepted", **describe(error))
                eventlet.sleep(0.1)
                continue
            self.container.spawn_managed_thread(partial(self.process_request, sock, address))

    def process_request(self, sock: Any, address: Any) -> None:
        try:
            sock.settimeout(self._serv.socket_timeout)
            self._serv.process_request([address, sock, wsgi.STATE_IDLE])
        except ConnectionError:
            pass  # the client has gone
        except Exception as error:
            log.error("connection failed", **describe(error))
        finally:
            self._room.release()
            sock.close()

    def stop(self) -> None:
        """Take no more connections, and let the answers that are under way get out."""
        self._is_accepting = False
        if self._gt is not None:
            self._gt.kill()
            self._sock.close()
            deadline = monotonic() + 5
            while self._serv.outstanding_requests and monotonic() < deadline:
                eventlet.sleep(0.02)
        super(WebServer, self).stop()
