"""The judge of a run: reads what is there, shares no code with the product, prints one line.

`lost`: what was accepted and is not where it belongs. `ghosts`: what is there and nobody asked for.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tests.chaos import folds
from tests.chaos.evidence import (
    Store,
    canaries_of_database,
    canaries_of_files,
    read_store,
)

AUDIENCE = {
    "intake.door_opened": ("directory", "reporting"),
    "intake.access_recorded": ("reporting",),
    "intake.person_registered": ("reporting",),
    "intake.residence_title_recorded": ("reporting",),
    "intake.duplicate_decided": ("reporting",),
    "intake.case_opened": ("reporting",),
    "intake.need_recorded": ("reporting",),
    "referrals.referral_requested": ("recipient", "reporting"),
    "referrals.referral_cancelled": ("recipient", "reporting"),
    "referrals.identity_disclosed": ("recipient",),
    "referrals.referral_accepted": ("sender", "reporting"),
    "referrals.referral_rejected": ("sender", "reporting"),
    "referrals.referral_started": ("sender", "reporting"),
    "referrals.referral_completed": ("sender", "reporting"),
    "referrals.referral_failed": ("sender", "reporting"),
}
"""Where each event must go; `recipient` and `sender` are fields that name an organisation."""

REACTS = frozenset(
    f"referrals.{name}"
    for name in (
        *("referral_requested", "referral_cancelled", "identity_disclosed", "referral_accepted"),
        *("referral_rejected", "referral_started", "referral_completed", "referral_failed"),
    )
)
"""What a referrals service must act on when another organisation's tells it."""

DERIVED = {"intake.duplicate_suspected", "intake.case_opened"}
"""Events that a command may give beside those that it must give."""


@dataclass
class Verdict:
    """What is wrong, by the word of the line; and figures."""

    faults: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    figures: dict[str, str] = field(default_factory=dict)

    def blame(self, word: str, what: str) -> None:
        self.faults[word].append(what)

    @property
    def is_good(self) -> bool:
        return not any(self.faults.values())

    def line(self) -> str:
        counted = {
            word: str(len(self.faults[word]))
            for word in ("lost", "ghosts", "duplicate_effects", "order", "leaks")
        }
        order = (
            *("commands", "ok", "refused", "unknown", "events", "kills", "lost", "ghosts"),
            *("duplicate_effects", "order", "quarantined", "views_equal", "heads_equal", "leaks"),
            "recover_s",
        )
        found = self.figures | counted
        return " ".join(f"{word}={found[word]}" for word in order)


@dataclass(kw_only=True)
class Evidence:
    """`databases` by service; `record` is what the journal wrote; files to search for canaries."""

    databases: dict[str, str]
    record: dict[str, Any]
    registry: Path
    files: list[Path]
    stores: dict[str, Store] = field(default_factory=dict)
    canaries: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    in_files: dict[str, set[str]] | None = None

    def read(self) -> None:
        """Read what was not read yet, all databases at once."""
        if self.in_files is None:
            self.in_files = canaries_of_files(self.files)
        missing = [name for name in self.databases if name not in self.stores]
        with ThreadPoolExecutor(4) as pool:
            urls = [self.databases[name] for name in missing]
            keys = [self._privacy_key(name) for name in missing]
            for name, store in zip(missing, pool.map(read_store, urls, keys), strict=True):
                self.stores[name] = store
            for name, found in zip(missing, pool.map(canaries_of_database, urls), strict=True):
                self.canaries[name] = found

    def _privacy_key(self, name: str) -> Path:
        organisation = name.split(".")[0]
        return self.registry.parent / "organisations" / organisation / "privacy.key"


def check(evidence: Evidence) -> Verdict:
    """Judge the run. Every promise is looked at, whatever was found before."""
    evidence.read()
    verdict = Verdict()
    commands, stores = evidence.record["commands"], evidence.stores
    _figures(verdict, evidence)
    for name, store in stores.items():
        mine = [command for command in commands if command["origin"] == name]
        _commands(verdict, name, store, mine)
        _effects(verdict, name, store)
        _streams(verdict, name, store)
        _feed(verdict, name, store)
    _told(verdict, evidence)
    _views(verdict, stores)
    _leaks(verdict, evidence)
    _settled(verdict, evidence)
    return verdict


def _figures(verdict: Verdict, evidence: Evidence) -> None:
    commands = evidence.record["commands"]
    outcomes = Counter(command["outcome"] for command in commands)
    verdict.figures |= {
        "commands": str(len(commands)),
        "ok": str(outcomes["ok"]),
        "refused": str(outcomes["refused"]),
        "unknown": str(sum(command["was_unknown"] for command in commands)),
        "events": str(sum(len(store.events) for store in evidence.stores.values())),
        "kills": str(evidence.record["kills"]),
        "quarantined": str(sum(len(s.tables["quarantine"]) for s in evidence.stores.values())),
        "recover_s": f"{evidence.record['recover_s']:.1f}",
    }


# --- I1, I2, I10: what was answered is what is in the log ----------------------------------------


def _commands(verdict: Verdict, name: str, store: Store, commands: list[dict[str, Any]]) -> None:
    by_correlation = defaultdict(list)
    for event in store.events:
        if event.causation is None:
            by_correlation[event.correlation].append(event)
    receipts = Counter(
        row.key.rsplit(":", 1)[1]
        for row in store.tables["command_receipt"]
        if row.key.startswith("http:")
    )
    for command in commands:
        found = Counter(e.type for e in by_correlation.pop(command["correlation"], []))
        wanted = Counter(command["events"]) if command["outcome"] == "ok" else Counter()
        what = f"{name} {command['kind']} {command['key']}"
        for type_ in wanted.keys() | found.keys():
            more = found[type_] - wanted[type_]
            if more < 0:
                verdict.blame("lost", f"{what}: {-more} × {type_}")
            elif more > 0 and wanted[type_]:
                verdict.blame("duplicate_effects", f"{what}: {more} more × {type_}")
            elif more > 0 and not (command["outcome"] == "ok" and type_ in DERIVED):
                verdict.blame("ghosts", f"{what} was {command['outcome']} and gave {type_}")
        kept = receipts.pop(command["key"], 0)
        if command["outcome"] == "ok" and kept != 1:
            verdict.blame("lost", f"{what}: its receipt")
        if command["outcome"] == "refused" and kept:
            verdict.blame("ghosts", f"{what}: was refused and has a receipt")
        if len(set(command["answers"])) > 1:
            verdict.blame("duplicate_effects", f"{what}: asked again, another answer")
    for correlation, events in by_correlation.items():
        verdict.blame("ghosts", f"{name}: {len(events)} events that nobody asked for {correlation}")
    for key in receipts:
        verdict.blame("ghosts", f"{name}: a receipt for {key}, which was never sent")


# --- I3: effects of what arrived -----------------------------------------------------------------


def _effects(verdict: Verdict, name: str, store: Store) -> None:
    inbox = {str(row.event_id): row for row in store.tables["inbox"]}
    caused = Counter((e.causation, e.type) for e in store.events if e.causation)
    for (cause, type_), times in caused.items():
        if cause not in inbox:
            verdict.blame("ghosts", f"{name}: {type_} caused by what never came")
        if times > 1:
            verdict.blame("duplicate_effects", f"{name}: {type_} × {times} for {cause}")
    if not name.endswith(".referrals"):
        return
    done = {row.key for row in store.tables["command_receipt"]}
    refused = {f"reaction:{r.event_id}:{r.ordinal}" for r in store.tables["refused_reaction"]}
    for row in store.tables["inbox"]:
        service = row.origin.partition(".")[2]
        if service != "referrals" or row.type not in REACTS or name == row.origin:
            continue
        for ordinal in (0, 1) if row.type == "referrals.referral_accepted" else (0,):
            effect = f"reaction:{row.event_id}:{ordinal}"
            if (effect in done) == (effect in refused):
                word = "duplicate_effects" if effect in done else "lost"
                verdict.blame(word, f"{name}: effect {ordinal} of {row.type} {row.number}")


# --- I4: order -----------------------------------------------------------------------------------


def _streams(verdict: Verdict, name: str, store: Store) -> None:
    versions = defaultdict(list)
    for event in store.events:  # by position
        versions[event.stream].append(event.version)
    for stream, found in versions.items():
        if found != list(range(1, len(found) + 1)):
            verdict.blame("order", f"{name}: the stream {stream} has versions {found}")
    heads = {str(row.stream_id): row.version for row in store.tables["stream"]}
    if heads != {stream: len(found) for stream, found in versions.items()}:
        verdict.blame("order", f"{name}: heads of streams are not those of the log")


def _rising(verdict: Verdict, where: str, lines: Iterable[tuple[str, int]]) -> None:
    last: dict[str, int] = {}
    for stream, version in lines:
        if version <= last.get(stream, 0):
            verdict.blame("order", f"{where}: {stream} {version} after {last[stream]}")
        last[stream] = max(version, last.get(stream, 0))


# --- the feed says what the log says -------------------------------------------------------------


def _feed(verdict: Verdict, name: str, store: Store) -> None:
    logged = {event.id: event for event in store.events}
    told: dict[str, list[str]] = defaultdict(list)
    for channel, lines in _by_channel(store.tables["feed"], "channel").items():
        documents = [json.loads(bytes(line.entry)) for line in lines]
        told[channel] = [document["id"] for document in documents]
        _rising(
            verdict,
            f"{name} feed {channel}",
            ((d["subject"], d["streamversion"]) for d in documents),
        )
        for document in documents:
            event = logged.get(document["id"])
            if event is None or (event.type, event.stream, event.version) != (
                document["type"],
                document["subject"],
                document["streamversion"],
            ):
                verdict.blame("ghosts", f"{name} feed {channel} {document['number']}: not logged")
    wanted: dict[str, list[str]] = defaultdict(list)
    for event in store.events:
        for audience in AUDIENCE.get(event.type, ()):
            named = audience in ("recipient", "sender")
            wanted[f"to.{event.data[audience]}" if named else audience].append(event.id)
    for channel in wanted.keys() | told.keys():
        ids = Counter(told[channel])
        for id_ in set(wanted[channel]) - set(ids):
            verdict.blame("lost", f"{name}: {logged[id_].type} is not in the feed {channel}")
        for id_ in set(ids) - set(wanted[channel]):
            verdict.blame("ghosts", f"{name} feed {channel}: {id_} does not belong there")
        for id_, times in ids.items():
            if times > 1:
                verdict.blame("duplicate_effects", f"{name} feed {channel}: {id_} × {times}")


def _by_channel(lines: Iterable[Any], *columns: str) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = defaultdict(list)
    for line in lines:
        key = tuple(getattr(line, column) for column in columns)
        found[key if len(columns) > 1 else key[0]].append(line)
    return found


# --- I3, I4, I5, I9: the inbox is the feed, byte for byte ----------------------------------------


def _reads(consumer: str) -> tuple[str, ...]:
    organisation, _, service = consumer.partition(".")
    own = f"to.{organisation}"
    return {"referrals": ("directory", own), "courses": (own,), "reporting": ("reporting",)}.get(
        service, ()
    )


def _told(verdict: Verdict, evidence: Evidence) -> None:
    keys = _registry(evidence.registry)
    equal = pairs = 0
    for consumer, store in evidence.stores.items():
        inbox = _by_channel(store.tables["inbox"], "origin", "channel")
        states = {(row.origin, row.channel): row for row in store.tables["inbox_channel"]}
        for origin, teller in evidence.stores.items():
            feeds = _by_channel(teller.tables["feed"], "channel")
            for channel in _reads(consumer):
                here = inbox.pop((origin, channel), [])
                if (origin == consumer and not here) or not (feeds.get(channel) or here):
                    continue
                pairs += 1
                before = sum(map(len, verdict.faults.values()))
                where = f"{consumer} from {origin} {channel}"
                _same(verdict, where, feeds.get(channel, []), here, store)
                head = next(r for r in teller.tables["feed_channel"] if r.channel == channel)
                _heads(verdict, where, head, states.get((origin, channel)), here)
                state = states.get((origin, channel))
                _signed(verdict, where, origin, channel, state, here, keys)
                equal += before == sum(map(len, verdict.faults.values()))
        for origin, channel in inbox:
            verdict.blame("ghosts", f"{consumer}: {channel} of {origin}, which tells no such thing")
    verdict.figures["heads_equal"] = f"{equal}/{pairs}"


def _same(verdict: Verdict, where: str, told: list[Any], here: list[Any], store: Store) -> None:
    for side, lines in (("feed", sorted(told, key=lambda r: r.number)), ("inbox", here)):
        _chain(verdict, f"{where} ({side})", lines)
    sent = {line.number: bytes(line.entry) for line in told}
    came = Counter(line.number for line in here)
    discarded = {
        row.number
        for row in store.tables["quarantine"]
        if (row.resolution or "").startswith("discarded")
    }
    for number in sent.keys() - came.keys() - discarded:
        verdict.blame("lost", f"{where}: number {number} never came")
    for line in here:
        if line.number not in sent:
            verdict.blame("ghosts", f"{where}: number {line.number} was never told")
        elif bytes(line.entry) != sent[line.number]:
            verdict.blame("ghosts", f"{where}: number {line.number} has other bytes")
        document = json.loads(bytes(line.entry))
        if (document["data"], document["id"]) != (line.data, str(line.event_id)):
            verdict.blame("ghosts", f"{where}: number {line.number} says another thing in columns")
    for number, times in came.items():
        if times > 1:
            verdict.blame("duplicate_effects", f"{where}: number {number} × {times}")
    twice = Counter(str(line.event_id) for line in here)
    for id_, times in twice.items():
        if times > 1:
            verdict.blame("duplicate_effects", f"{where}: {id_} × {times}")
    _rising(verdict, where, ((str(line.stream_id), line.stream_version) for line in here))


def _chain(verdict: Verdict, where: str, lines: list[Any]) -> None:
    """Numbers from 1 on in the order of the rows, every hash computed anew from the bytes."""
    previous = b""
    for number, line in enumerate(lines, start=1):
        document = json.loads(bytes(line.entry))
        if not line.number == document["number"] == number:
            verdict.blame("order", f"{where}: {line.number} stands where {number} should")
            return
        if document["previous"] != previous.hex():
            verdict.blame("heads", f"{where}: the chain breaks before {number}")
        previous = hashlib.sha256(bytes(line.entry)).digest()
        if previous != bytes(line.hash):
            verdict.blame("heads", f"{where}: {number} has another hash than its bytes")


def _heads(verdict: Verdict, where: str, head: Any, state: Any, here: list[Any]) -> None:
    if state is None:
        verdict.blame("lost", f"{where}: nothing came")
        return
    same = (
        state.next_number == head.head_number + 1,
        bytes(state.head_hash) == bytes(head.head_hash),
        state.epoch == head.epoch,
        state.state == "flowing",
        not here or hashlib.sha256(bytes(here[-1].entry)).digest() == bytes(state.head_hash),
    )
    if not all(same):
        verdict.blame("heads", f"{where}: the head here is not the head there {same}")


def _registry(path: Path) -> dict[str, list[Ed25519PublicKey]]:
    return {
        item["id"]: [
            Ed25519PublicKey.from_public_bytes(base64.b64decode(key["key"]))
            for key in item["sign_keys"]
        ]
        for item in json.loads(path.read_text("utf-8"))["organisations"]
    }


def _signed(
    verdict: Verdict,
    where: str,
    origin: str,
    channel: str,
    state: Any,
    here: list[Any],
    keys: dict[str, list[Ed25519PublicKey]],
) -> None:
    """The last signed head that is kept proves what came up to it."""
    if state is None or state.signature is None:
        verdict.blame("heads", f"{where}: no signed head is kept")
        return
    line = next((line for line in here if line.number == state.signed_number), None)
    digest = hashlib.sha256(bytes(line.entry)).hexdigest() if line else ""
    at = state.signed_at.astimezone(UTC).isoformat(timespec="microseconds")
    stated = [
        "togheter/head/1",
        origin,
        channel,
        str(state.epoch),
        state.signed_number,
        digest,
        at,
    ]
    if state.after_epoch is not None:
        stated += [str(state.after_epoch), state.after_number, bytes(state.after_hash).hex()]
    statement = json.dumps(stated, separators=(",", ":")).encode()
    for key in keys[origin.partition(".")[0]]:
        try:
            key.verify(bytes(state.signature), statement)
        except InvalidSignature:
            continue
        return
    verdict.blame("heads", f"{where}: the signed head is not its origin's, or not of these bytes")


# --- I6: views -----------------------------------------------------------------------------------


def _views(verdict: Verdict, stores: dict[str, Store]) -> None:
    logs = {name: store.events for name, store in stores.items()}
    pairs = []
    for name, store in stores.items():
        service = name.partition(".")[2]
        for fold in folds.OWN.get(service, ()):
            pairs.append((f"{name} {fold.__name__}", partial(fold, store)))
        if service == "reporting":
            for report in folds.REPORTS:
                pairs.append((f"{name} {report.__name__}", partial(report, logs, store)))
    equal = 0
    for name, compare in pairs:
        try:
            wanted, found = compare()
        except KeyError as error:  # what happened to a thing that never began
            verdict.blame("views", f"{name}: the log itself cannot be folded ({error})")
            continue
        if wanted == found:
            equal += 1
        else:
            verdict.blame(
                "views",
                f"{name}: {len(wanted - found)} rows missing, {len(found - wanted)} strange",
            )
    verdict.figures["views_equal"] = f"{equal}/{len(pairs)}"


# --- I7: what is protected stays in its place ----------------------------------------------------


def _leaks(verdict: Verdict, evidence: Evidence) -> None:
    at_home = _homes(evidence)
    assert evidence.in_files is not None
    for service, tables in evidence.canaries.items():
        for table, tokens in tables.items():
            for token in tokens:
                if service not in at_home.get(token, set()):
                    verdict.blame("leaks", f"{service} {table} knows {token}")
    for path, tokens in evidence.in_files.items():
        verdict.blame("leaks", f"{path} holds {len(tokens)}, such as {min(tokens)}")


def _homes(evidence: Evidence) -> dict[str, set[str]]:
    """By canary, the services that may know it: a recipient only after it has accepted."""
    accepted = {
        (name, event.stream)
        for name, store in evidence.stores.items()
        for event in store.events
        if event.type == "referrals.referral_accepted"
    }
    homes: dict[str, set[str]] = {}
    for command in evidence.record["commands"]:
        for token in command["canaries"]:
            found = homes.setdefault(token, set())
            if command["outcome"] != "ok":
                continue
            for place in command["places"]:
                if place == command["origin"] or (place, command["subject"]) in accepted:
                    found.add(place)
    return homes


# --- I8: everything came to rest -----------------------------------------------------------------


def _settled(verdict: Verdict, evidence: Evidence) -> None:
    if not evidence.record["converged"]:
        verdict.blame("rest", f"not at rest after {evidence.record['recover_s']:.0f} s")
    unknown = [c["key"] for c in evidence.record["commands"] if c["outcome"] == "unknown"]
    for key in unknown:
        verdict.blame("rest", f"{key} was never answered")
    for name, store in evidence.stores.items():
        if store.tables["pending"]:
            verdict.blame("lost", f"{name}: {len(store.tables['pending'])} events have no number")
        last = max((row.position for row in store.tables["inbox"]), default=0)
        for row in store.tables["follower"]:
            if row.position < last:
                verdict.blame("lost", f"{name}: {row.name} is at {row.position} of {last}")
        for row in store.tables["quarantine"]:
            if bytes(row.body_hash).hex() not in evidence.record["forged"]:
                verdict.blame("rest", f"{name}: in quarantine: {row.origin} {row.reason}")
