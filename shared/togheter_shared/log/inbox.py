"""The receiver: takes others' exact bytes, contiguous per channel and once, or quarantines them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from marshmallow import ValidationError
from psycopg import Connection

from togheter_shared.contracts.contract import Registry
from togheter_shared.log import crash, epochs, head
from togheter_shared.log.entry import BadEntry, Entry, decode, hash_of
from togheter_shared.log.head import Head, SignedHead, Verify

LOCK = 7_203_003
"""The advisory lock of the one writer of an inbox: its positions are given in commit order."""

MAX_MESSAGE = 1_048_576
MAX_ENTRIES = 1_000
ASK_AGAIN = timedelta(seconds=5)

_INSERT = """
insert into inbox (origin, channel, epoch, number, entry, hash, event_id, type, type_version,
    occurred_at, stream_id, stream_version, correlation_id, data, sealed, repeated)
select %s, %s, d.epoch, d.number, e.entry, sha256(e.entry), d.id, d.type, d.typeversion, d.time,
    d.subject, d.streamversion, d.correlationid, d.data, decode(d.sealed, 'base64'),
    coalesce(e.repeated, false)
from unnest(%b::bytea[], %b::bool[]) with ordinality as e (entry, repeated, ordinal),
    jsonb_to_record(convert_from(e.entry, 'UTF8')::jsonb) as d (id uuid, type text,
        typeversion smallint, time timestamptz, subject uuid, streamversion int, epoch uuid,
        number bigint, correlationid uuid, data jsonb, sealed text)
order by e.ordinal
"""
"""The typed columns come from the very bytes that are kept, which were checked before."""

Open = Callable[[UUID, str, bytes], dict[str, object]]
"""Opens a sealed box: (event id, type, box) -> fields. Raises `ValueError` when it cannot."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A message as it came: `user` is the broker's word on who sent it."""

    routing_key: str
    user: str
    body: bytes


@dataclass(kw_only=True)
class Taken:
    """What became of a delivery. `ask_from` is set when entries before it are missing, `frozen`
    when it shows another history than ours."""

    stored: int = 0
    duplicates: int = 0
    quarantined: str | None = None
    origin: str = ""
    channel: str = ""
    ask_from: int | None = None
    frozen: bool = False


@dataclass(frozen=True)
class Receiver:
    """Takes deliveries for the service `organisation`.`service`, which reads `channels`."""

    organisation: str
    channels: frozenset[str]
    reads: Registry
    open_box: Open
    verify: Verify

    def take(self, conn: Connection, delivery: Delivery) -> Taken:
        """Store what is new and in order, in one transaction; never raises for what was sent.

        Entries seen before are counted and dropped; entries after a gap are dropped and the gap is
        reported in `ask_from`, for the origin's feed has them; what cannot be taken is quarantined.
        """
        with conn.transaction():
            conn.execute("select pg_advisory_xact_lock(%s)", [LOCK], prepare=True)
            try:
                origin, channel = self._address(delivery)
            except BadEntry as error:
                return self._quarantine(conn, delivery, "unknown", "unknown", None, str(error))
            taken = Taken(origin=origin, channel=channel)
            crash.point("verify.before")
            try:
                *lines, last = self._lines(delivery.body)
                signed = self._signed_head(last, origin, channel)
                entries = [self._entry(line, origin, channel) for line in lines]
                self._check_run(entries, lines, signed.head)
            except BadEntry as error:
                return self._quarantine(conn, delivery, origin, channel, None, str(error))
            crash.point("verify.after")
            if not entries:
                return self._compare(conn, delivery, taken, signed)
            return self._store(conn, delivery, taken, entries, lines, signed)

    def _address(self, delivery: Delivery) -> tuple[str, str]:
        parts = delivery.routing_key.split(".", 2)
        if len(parts) != 3:
            raise BadEntry("a routing key that is not <organisation>.<service>.<channel>")
        organisation, service, channel = parts
        if delivery.user != organisation:
            raise BadEntry("sent by another organisation than its routing key says")
        if channel not in self.channels:
            raise BadEntry("a channel that this service does not read")
        return f"{organisation}.{service}", channel

    def _lines(self, body: bytes) -> list[bytes]:
        if len(body) > MAX_MESSAGE:
            raise BadEntry(f"a message longer than {MAX_MESSAGE} bytes")
        lines = body.split(b"\n")
        if len(lines) > MAX_ENTRIES + 1:
            raise BadEntry(f"a message with more than {MAX_ENTRIES} entries")
        return lines

    def _signed_head(self, line: bytes, origin: str, channel: str) -> SignedHead:
        signed = head.read(line, origin, channel)
        organisation = origin.split(".")[0]
        if not self.verify(organisation, signed.key, signed.signature, signed.head.statement()):
            raise BadEntry("a head that is not signed with a valid key of its origin")
        return signed

    def _entry(self, line: bytes, origin: str, channel: str) -> Entry:
        entry = decode(line)
        if f"{entry.organisation}.{entry.service}" != origin or entry.channel != channel:
            raise BadEntry("an entry of another origin or channel than its routing key says")
        if (entry.sealed is None) != (entry.sealed_for is None) or (
            entry.sealed_for not in (None, self.organisation)
        ):
            raise BadEntry("a box that is sealed for somebody else")
        return entry

    def _check_run(self, entries: list[Entry], lines: list[bytes], signed: Head) -> None:
        for before, entry, line in zip(entries, entries[1:], lines, strict=False):
            if entry.number != before.number + 1 or entry.epoch != before.epoch:
                raise BadEntry("entries that do not follow each other")
            if entry.previous != hash_of(line):
                raise BadEntry("entries whose chain is broken")
        if entries and (entries[-1].epoch, entries[-1].number, hash_of(lines[-1])) != (
            signed.epoch,
            signed.number,
            signed.hash,
        ):
            raise BadEntry("entries that do not lead to the signed head")

    def _store(
        self,
        conn: Connection,
        delivery: Delivery,
        taken: Taken,
        entries: list[Entry],
        lines: list[bytes],
        signed: SignedHead,
    ) -> Taken:
        origin, channel = taken.origin, taken.channel
        held = self._held(conn, taken, signed.head)
        if held is None:
            return taken
        epoch, next_number, head_hash, state = held
        if entries[0].epoch != epoch:
            return self._freeze(
                conn, delivery, taken, entries[0].number, "another epoch than before"
            )
        if entries[0].number > next_number:
            taken.ask_from = next_number if state == "flowing" else None
            return taken
        known = [
            (e, line) for e, line in zip(entries, lines, strict=True) if e.number < next_number
        ]
        fresh = [
            (e, line) for e, line in zip(entries, lines, strict=True) if e.number >= next_number
        ]
        if known and self._forked(conn, origin, channel, epoch, known):
            return self._freeze(
                conn, delivery, taken, known[0][0].number, "a number with other bytes"
            )
        taken.duplicates = len(known)
        if fresh and fresh[0][0].previous != head_hash:
            return self._freeze(
                conn, delivery, taken, fresh[0][0].number, "a chain that does not join"
            )
        good, fault = self._keep_contracts(fresh)
        crash.point("store.before")
        self._insert(conn, taken, good, known, signed.head)
        crash.point("store.after")
        if fault is None and good:
            self._keep_signature(conn, taken, signed)
        if fault is not None:
            entry, reason = fault
            conn.execute(
                "update inbox_channel set state = 'waiting' where origin = %s and channel = %s",
                [origin, channel],
            )
            line = dict(zip((e.number for e in entries), lines, strict=True))[entry.number]
            one = replace(delivery, body=line)
            quarantined = self._quarantine(conn, one, origin, channel, entry.number, reason)
            taken.quarantined = quarantined.quarantined
        return taken

    def _held(
        self, conn: Connection, taken: Taken, told: Head
    ) -> tuple[UUID, int, bytes, str] | None:
        """Epoch, next number, hash and state of the channel as we hold it, taking a new epoch when
        that goes on from ours; None when what came is of no use now."""
        row = conn.execute(
            "select epoch, next_number, head_hash, state from inbox_channel"
            " where origin = %s and channel = %s",
            [taken.origin, taken.channel],
            prepare=True,
        ).fetchone()
        if row is None:
            if told.after is not None:  # the epochs before come first
                taken.ask_from = 1
                return None
            conn.execute(
                "insert into inbox_channel (origin, channel, epoch) values (%s, %s, %s)",
                [taken.origin, taken.channel, told.epoch],
            )
            return told.epoch, 1, b"", "flowing"
        epoch, next_number, head_hash, state = row
        if told.epoch == epoch:
            return epoch, next_number, bytes(head_hash), state
        if epochs.is_past(conn, told):
            taken.duplicates = 1
            return None
        if epochs.continues(conn, told, epoch):
            epochs.go_on(conn, told, next_number)
            return told.epoch, 1, b"", "flowing"
        if told.after is not None and (
            told.after.epoch != epoch or told.after.number >= next_number
        ):
            taken.ask_from = next_number  # of our epoch; what lies between comes before this
            return None
        return epoch, next_number, bytes(head_hash), state

    def _freeze(
        self, conn: Connection, delivery: Delivery, taken: Taken, number: int, reason: str
    ) -> Taken:
        """Two histories of one channel: nothing is taken until its origin begins a new epoch."""
        conn.execute(
            "update inbox_channel set state = 'frozen' where origin = %s and channel = %s",
            [taken.origin, taken.channel],
        )
        frozen = self._quarantine(conn, delivery, taken.origin, taken.channel, number, reason)
        frozen.frozen = True
        return frozen

    def _forked(
        self,
        conn: Connection,
        origin: str,
        channel: str,
        epoch: UUID,
        known: Sequence[tuple[Entry, bytes]],
    ) -> bool:
        rows = conn.execute(
            "select number, hash from inbox where origin = %s and channel = %s and epoch = %s"
            " and number = any(%s)",
            [origin, channel, epoch, [entry.number for entry, _ in known]],
            prepare=True,
        ).fetchall()
        held = {number: bytes(hash_) for number, hash_ in rows}  # of what is away the head tells
        return any(held.get(e.number, hash_of(line)) != hash_of(line) for e, line in known)

    def _keep_contracts(
        self, fresh: list[tuple[Entry, bytes]]
    ) -> tuple[list[tuple[Entry, bytes]], tuple[Entry, str] | None]:
        """What can be taken, up to the first entry that does not keep its contract, and why not.

        Unknown types and versions are taken as they are: an upgrade will read them.
        """
        for index, (entry, _) in enumerate(fresh):
            contract = self.reads.find(entry.type, entry.type_version)
            if contract is None:
                continue
            try:
                data = dict(entry.data)
                if entry.sealed is not None:
                    data |= self.open_box(entry.event_id, entry.type, entry.sealed)
                self.reads.load(entry.type, entry.type_version, data)
                if entry.channel not in contract.channels(entry.data, entry.organisation):
                    return fresh[:index], (entry, "an event that is not for this channel")
            except ValidationError as error:
                names = error.normalized_messages()  # type: ignore[no-untyped-call]
                fields = ", ".join(sorted(map(str, names)))
                return fresh[:index], (entry, f"does not keep its contract in: {fields[:300]}")
            except ValueError:
                return fresh[:index], (entry, "a sealed box that does not open")
        return fresh, None

    def _insert(
        self,
        conn: Connection,
        taken: Taken,
        good: list[tuple[Entry, bytes]],
        known: list[tuple[Entry, bytes]],
        told: Head,
    ) -> None:
        if good:
            before = epochs.told_before(conn, told, [entry.event_id for entry, _ in good])
            conn.execute(
                _INSERT,
                [
                    taken.origin,
                    taken.channel,
                    [line for _, line in good],  # %b: as text each quotation mark would be escaped
                    [entry.event_id in before for entry, _ in good] if before else None,
                ],
                prepare=True,
            )
        if good or known:
            conn.execute(
                "update inbox_channel set next_number = next_number + %s,"
                " head_hash = coalesce(%s, head_hash), duplicates = duplicates + %s"
                " where origin = %s and channel = %s",
                [
                    len(good),
                    hash_of(good[-1][1]) if good else None,
                    len(known),
                    taken.origin,
                    taken.channel,
                ],
                prepare=True,
            )
        taken.stored = len(good)

    def _compare(
        self, conn: Connection, delivery: Delivery, taken: Taken, signed: SignedHead
    ) -> Taken:
        """An origin says how far its channel is: ask for what has not come, freeze at a fork."""
        told = signed.head
        held = self._held(conn, taken, told)
        if held is None:
            return taken
        epoch, next_number, head_hash, state = held
        reason = None
        if told.epoch != epoch or (told.number == next_number - 1 and told.hash != head_hash):
            reason = "a head of another history than the one that was told"
        elif told.number < next_number - 1 and self._is_news(conn, told):
            reason = "a head behind what was told before"
        if reason is not None:
            return self._freeze(conn, delivery, taken, told.number, reason)
        if told.number == next_number - 1:
            self._keep_signature(conn, taken, signed)
        elif told.number >= next_number and state == "flowing":
            taken.ask_from = next_number
        return taken

    def _is_news(self, conn: Connection, told: Head) -> bool:
        """Whether a head was told after the last one that we keep: an old one may come again."""
        row = conn.execute(
            "select 1 from inbox_channel where origin = %s and channel = %s and signed_at < %s",
            [told.origin, told.channel, told.at],
        ).fetchone()
        return row is not None

    def _keep_signature(self, conn: Connection, taken: Taken, signed: SignedHead) -> None:
        conn.execute(
            "update inbox_channel set signed_number = %s, signed_key = %s, signature = %s,"
            " signed_at = %s where origin = %s and channel = %s",
            [
                signed.head.number,
                signed.key,
                signed.signature,
                signed.head.at,
                taken.origin,
                taken.channel,
            ],
            prepare=True,
        )

    def _quarantine(
        self,
        conn: Connection,
        delivery: Delivery,
        origin: str,
        channel: str,
        number: int | None,
        reason: str,
    ) -> Taken:
        conn.execute(
            "insert into quarantine (origin, channel, number, reason, body, body_hash)"
            " values (%s, %s, %s, %s, %s, %s) on conflict (origin, channel, body_hash, reason)"
            " do update set seen = quarantine.seen + 1, resolved_at = null, resolution = null",
            [
                origin,
                channel,
                number,
                reason,
                delivery.body[:MAX_MESSAGE],
                hash_of(delivery.body),
            ],
        )
        return Taken(origin=origin, channel=channel, quarantined=reason)


def may_ask(conn: Connection, origin: str, channel: str) -> bool:
    """True when it is time to ask that origin (again) for what is missing; notes that we do."""
    row = conn.execute(
        "update inbox_channel set asked_at = clock_timestamp() where origin = %s and channel = %s"
        " and asked_at < clock_timestamp() - %s returning origin",
        [origin, channel, ASK_AGAIN],
    ).fetchone()
    if row is not None:
        return True
    known = conn.execute(
        "select 1 from inbox_channel where origin = %s and channel = %s", [origin, channel]
    ).fetchone()
    return known is None
