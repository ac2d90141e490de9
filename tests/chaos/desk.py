"""The people at the desks: commands over HTTP all the time, under a key each, whatever happens."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from tests.chaos.journal import Asked, Journal

PREFIX = "zqv"
"""Every canary begins with it: no word of any language, and not in this repository's data."""

AREAS = ("language", "work", "housing", "health", "legal", "family")
KINDS = ("information", "orientation", "accompaniment", "request")
SENDERS = {"comune": ("ponte", "scuola"), "ponte": ("comune", "scuola"), "scuola": ("ponte",)}
PATIENCE = 15.0


@dataclass(kw_only=True)
class Referral:
    """A referral as the desks know it; `step` is what its recipient can do next."""

    id: str
    sender: str
    recipient: str
    step: str = "answer"
    busy: bool = False
    not_before: float = 0.0


@dataclass(kw_only=True)
class Address:
    """Where a service's web answers, and the token that opens it."""

    host: str
    port: int
    token: str


@dataclass
class World:
    """What the desks have made so far; all under one lock."""

    doors: dict[str, list[str]] = field(default_factory=lambda: {"comune": [], "ponte": []})
    persons: dict[str, list[str]] = field(default_factory=lambda: {"comune": [], "ponte": []})
    identifiers: dict[str, list[str]] = field(default_factory=lambda: {"comune": [], "ponte": []})
    referrals: list[Referral] = field(default_factory=list)
    needs_day: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)


Job = tuple[Asked, str, dict[str, Any], Callable[[Asked, Any], None]]


class Desks:
    """`posters` threads that post until `stop`, and then settle what is not answered."""

    def __init__(self, addresses: dict[str, Address], journal: Journal, seed: int) -> None:
        self.addresses = addresses
        self.journal = journal
        self.world = World()
        self._seed = seed
        self._posting = threading.Event()
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._numbers = iter(range(10**9))
        self._number_lock = threading.Lock()
        self.pause = 0.02

    def open_doors(self) -> None:
        """Before the first fault: two doors for each organisation that receives people."""
        rng = random.Random(self._seed)
        for organisation in self.world.doors:
            for number in (1, 2):
                asked = self._asked(rng, f"{organisation}.intake", "door", ["intake.door_opened"])
                body = {"name": f"Porta {organisation} {number}", "languages": ["it"]}
                self._carry_out(asked, "doors", body, rng)
                assert asked.outcome == "ok", f"{asked.origin}: {asked.status} {asked.code}"
                self.world.doors[organisation].append(asked.subject)

    def begin(self, posters: int) -> None:
        self._posting.set()
        for number in range(posters):
            rng = random.Random(self._seed * 1_000 + number)
            thread = threading.Thread(target=self._post, args=(rng,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def end(self, patience: float) -> int:
        """No new commands; waits until all are answered. Returns how many are not."""
        self._posting.clear()
        deadline = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.1, deadline - time.monotonic()))
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE + 5)
        return sum(asked.outcome == "unknown" for asked in self.journal.all())

    def answered(self) -> int:
        return sum(asked.outcome != "unknown" for asked in self.journal.all())

    # one poster

    def _post(self, rng: random.Random) -> None:
        choices = (
            *((self._person, 5), (self._access, 6), (self._needs, 4), (self._referral, 4)),
            *((self._answer, 6), (self._cancel, 1), (self._wrong, 1)),
        )
        acts, weights = zip(*choices, strict=True)
        while self._posting.is_set():
            job: Job | None = rng.choices(acts, weights)[0](rng)
            if job is None:
                time.sleep(0.01)
                continue
            asked, path, body, then = job
            answer = self._carry_out(asked, path, body, rng)
            then(asked, answer)
            time.sleep(self.pause)

    def _carry_out(self, asked: Asked, path: str, body: Any, rng: random.Random) -> Any:
        self.journal.add(asked)
        answer = None
        while asked.outcome == "unknown" and not self._over.is_set():
            if asked.tries == 0 and rng.random() < 0.03:  # the same at the same moment
                twin = threading.Thread(target=self._ask, args=(asked, path, body), daemon=True)
                twin.start()
                answer = self._ask(asked, path, body)
                twin.join(PATIENCE + 5)
            else:
                answer = self._ask(asked, path, body)
            if asked.outcome == "unknown":
                time.sleep(rng.uniform(0.1, 0.6))
        if asked.outcome == "ok" and (asked.was_unknown or rng.random() < 0.05):
            self._ask(asked, path, body)  # answered already: the same answer, no second effect
        return answer

    def _ask(self, asked: Asked, path: str, body: Any) -> Any:
        """One try. What is no clear answer (no connection, 5xx) leaves the outcome unknown."""
        address = self.addresses[asked.origin]
        connection = http.client.HTTPConnection(address.host, address.port, timeout=PATIENCE)
        headers = {
            "Authorization": f"Bearer {address.token}",
            "Content-Type": "application/json",
            "Idempotency-Key": asked.key,
            "X-Correlation-ID": asked.correlation,
        }
        asked.tries += 1
        was_ok = asked.outcome == "ok"
        try:
            connection.request("POST", f"/api/v1/{path}", json.dumps(body).encode(), headers)
            response = connection.getresponse()
            answer = json.loads(response.read() or b"null")
        except (OSError, http.client.HTTPException, ValueError):
            asked.was_unknown = True
            return None
        finally:
            connection.close()
        if response.status >= 500 or response.status == 429:
            asked.was_unknown = True
            return None
        if response.status >= 400 and asked.outcome == "ok":
            if was_ok:  # accepted before it was asked again: this is another answer
                asked.answers.append(f"{response.status} {answer.get('code', '')}")
            return None
        asked.status = response.status
        if response.status >= 400:
            asked.outcome, asked.code = "refused", str(answer.get("code", ""))
            return None
        identity = next(
            (
                str(answer[n])
                for n in ("referral_id", "access_id", "case_id", "door_id")
                if n in answer
            ),
            "",
        )
        if asked.kind == "person":
            identity = str(answer["person_id"])
        asked.answers.append(identity)
        asked.subject = asked.subject or identity
        asked.outcome = "ok"
        return answer

    # the commands

    def _asked(
        self, rng: random.Random, origin: str, kind: str, events: list[str], **more: Any
    ) -> Asked:
        with self._number_lock:
            number = next(self._numbers)
        return Asked(
            key=f"chaos-{self._seed}-{number}",
            correlation=str(UUID(int=rng.getrandbits(128), version=4)),
            origin=origin,
            kind=kind,
            events=events,
            **more,
        )

    def _person(self, rng: random.Random) -> Job:
        organisation = rng.choice(list(self.world.persons))
        tokens = [canary(rng) for _ in range(3)]
        body = {
            "name": {"given": tokens[0].capitalize(), "family": tokens[1].capitalize()},
            "birth": {"year": rng.randrange(1940, 2010)},
            "birth_country": rng.choice(["NGA", "UKR", "PAK", "MAR"]),
            "sex": rng.choice(["female", "male", "unknown"]),
            "citizenships": rng.choice([[], ["NGA"], ["UKR"], ["MAR", "ITA"]]),
            "languages": ["fr"],
            "phones": [f"+39340{rng.randrange(10**6, 10**7)}"],
            "on": str(date(2024, 1, 1) + timedelta(days=rng.randrange(300))),
            "door_id": rng.choice(self.world.doors[organisation]),
        }
        events = ["intake.person_registered"]
        if rng.random() < 0.5:
            body["identifiers"] = [{"kind": "other", "value": tokens[2]}]
            events.append("intake.identifier_added")
        place = f"{organisation}.intake"
        asked = self._asked(rng, place, "person", events, canaries=tokens, places=[place])

        def then(asked: Asked, _: Any) -> None:
            if asked.outcome == "ok":
                with self.world.lock:
                    self.world.persons[organisation].append(asked.subject)
                    if "identifiers" in body:
                        self.world.identifiers[organisation].append(tokens[2])

        return asked, "persons", body, then

    def _access(self, rng: random.Random) -> Job:
        organisation = rng.choice(list(self.world.doors))
        tokens = [canary(rng), canary(rng)]
        body: dict[str, Any] = {
            "door_id": rng.choice(self.world.doors[organisation]),
            "kind": rng.choice(KINDS),
            "topics": rng.sample(AREAS, rng.randrange(3)),
            "minutes": rng.randrange(90),
            "operator": tokens[0],
            "note": f"nota {tokens[1]}",
            "on": str(date(2024, 1, 1) + timedelta(days=rng.randrange(300))),
        }
        person = self._someone(rng, organisation)
        if person and rng.random() < 0.6:
            body["person_id"] = person
        place = f"{organisation}.intake"
        events = ["intake.access_recorded"]
        asked = self._asked(rng, place, "access", events, canaries=tokens, places=[place])
        return asked, "accesses", body, nothing

    def _needs(self, rng: random.Random) -> Job | None:
        organisation = rng.choice(list(self.world.persons))
        person = self._someone(rng, organisation)
        if person is None:
            return None
        areas = rng.sample(AREAS, rng.randrange(1, 4))
        body = {"areas": areas, "on": str(date(2024, 11, 1) + timedelta(days=rng.randrange(200)))}
        events = ["intake.need_recorded"] * len(areas)
        asked = self._asked(rng, f"{organisation}.intake", "needs", events)
        return asked, f"persons/{person}/needs", body, nothing

    def _referral(self, rng: random.Random) -> Job:
        sender = rng.choice(list(SENDERS))
        recipient = rng.choice(SENDERS[sender])
        tokens = [canary(rng) for _ in range(2)]
        body = {
            "person_id": self._someone(rng, sender) or str(UUID(int=rng.getrandbits(128))),
            "recipient": recipient,
            "area": rng.choice(AREAS),
            "language": "it",
            "requested_on": "2024-12-02",
            "consent": {
                "given_on": "2024-12-01",
                "given_by": "person",
                "language": "fr",
                "text_version": "2024-1",
            },
            "identity": {"name": {"given": tokens[0], "family": tokens[1]}},
        }
        asked = self._asked(
            rng,
            f"{sender}.referrals",
            "referral",
            ["referrals.referral_requested"],
            canaries=tokens,
            places=[f"{sender}.referrals", f"{recipient}.referrals"],
        )

        def then(asked: Asked, _: Any) -> None:
            if asked.outcome == "ok":
                with self.world.lock:
                    self.world.referrals.append(
                        Referral(id=asked.subject, sender=sender, recipient=recipient)
                    )

        return asked, "referrals", body, then

    def _answer(self, rng: random.Random) -> Job | None:
        with self.world.lock:
            now = time.monotonic()
            ready = [
                r
                for r in self.world.referrals
                if r.step != "closed" and not r.busy and r.not_before < now
            ]
            if not ready:
                return None
            chosen = rng.choice(ready)
            chosen.busy = True
        verb, body, after = {
            "answer": ("accept", {"on": "2024-12-03"}, "start"),
            "start": ("start", {"on": "2024-12-04"}, "complete"),
            "complete": ("complete", {"on": "2024-12-05", "outcome": "need_met"}, "closed"),
        }[chosen.step]
        tokens: list[str] = []
        if verb == "accept" and rng.random() < 0.25:
            tokens = [canary(rng)]
            verb, after = "reject", "closed"
            body = {"on": "2024-12-03", "reason": "no_places", "explanation": tokens[0]}
        word = {"accept": "accepted", "reject": "rejected", "start": "started"}
        events = [f"referrals.referral_{word.get(verb, 'completed')}"]
        place = f"{chosen.recipient}.referrals"
        asked = self._asked(rng, place, verb, events, canaries=tokens, places=[place])

        def then(asked: Asked, _: Any) -> None:
            with self.world.lock:
                chosen.busy = False
                chosen.not_before = time.monotonic() + 1.0
                if asked.outcome == "ok":
                    chosen.step = after
                elif asked.code in ("cancelled", "already_rejected", "closed"):
                    chosen.step = "closed"

        return asked, f"received/{chosen.id}/{verb}", body, then

    def _cancel(self, rng: random.Random) -> Job | None:
        with self.world.lock:
            ready = [r for r in self.world.referrals if r.step == "answer" and not r.busy]
            if not ready:
                return None
            chosen = rng.choice(ready)
            chosen.busy = True
        events = ["referrals.referral_cancelled"]
        asked = self._asked(rng, f"{chosen.sender}.referrals", "cancel", events)

        def then(asked: Asked, _: Any) -> None:
            with self.world.lock:
                chosen.busy = False  # and an acceptance may cross it

        body = {"on": "2024-12-03", "reason": "no_longer_needed"}
        return asked, f"referrals/{chosen.id}/cancel", body, then

    def _wrong(self, rng: random.Random) -> Job:
        """What is to be refused, and must leave no trace: not even of its canary."""
        organisation = rng.choice(list(self.world.doors))
        place, token = f"{organisation}.intake", canary(rng)
        if rng.random() < 0.5 and self.world.identifiers[organisation]:
            taken = rng.choice(self.world.identifiers[organisation])
            body: dict[str, Any] = {
                "name": {"given": token},
                "identifiers": [{"kind": "other", "value": taken}],
            }
            asked = self._asked(rng, place, "person", [], canaries=[token])
            return asked, "persons", body, nothing
        body = {"door_id": str(UUID(int=rng.getrandbits(128))), "kind": "request", "note": token}
        asked = self._asked(rng, place, "access", [], canaries=[token])
        return asked, "accesses", body, nothing

    def _someone(self, rng: random.Random, organisation: str) -> str | None:
        with self.world.lock:
            known = self.world.persons.get(organisation)
            return rng.choice(known) if known else None


def nothing(_: Asked, __: Any) -> None:
    """Nothing to remember of this one."""


def canary(rng: random.Random) -> str:
    return PREFIX + "".join(rng.choices("bcdfghjklmnpqrstvwxyz", k=12))
