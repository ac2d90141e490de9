"""Load the demonstration through the services' public interfaces; safe to repeat, it adds nothing.

Two organisations that run Porte Sociali refer people to a school, which accepts and declines, fills
an edition and its waiting list, teaches, tests and certifies; both senders see how it ended.
"""

from __future__ import annotations

import csv
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import Progress

from togheter_shared.testing.processes import ServerError

REGISTER = Path(__file__).parent / "registro-porte-sociali.csv"
DOORS = {
    "Porta Sociale Bucaletto": "Via Bucaletto, Potenza",
    "Porta Sociale Centro": "Via Pretoria, Potenza",
    "Porta Sociale Macchia Romana": "Via Macchia Romana, Potenza",
    "Porta Sociale Rione Cocuzzo": "Rione Cocuzzo, Potenza",
}
PATIENCE = 90.0
SPRING, AUTUMN = "demo-italiano-a1", "demo-italiano-a2"


class DemonstrationFailed(ServerError):
    """The demonstration could not be loaded; the message names the step. `make up` goes on."""


@dataclass(frozen=True)
class Api:
    """One service's interface, as a machine with a token sees it."""

    name: str
    url: str
    token: str

    def get(self, path: str) -> Any:
        return self._ask("GET", path)

    def post(
        self,
        path: str,
        body: Any,
        *,
        key: str | None = None,
        media: str = "application/json",
        settled: tuple[str, ...] = (),
    ) -> Any:
        """POST once for each `key`. A refusal with a code in `settled` says it was done before."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._ask("POST", path, data, key=key, media=media, settled=settled)

    def _ask(
        self,
        method: str,
        path: str,
        data: bytes | None = None,
        *,
        key: str | None = None,
        media: str = "application/json",
        settled: tuple[str, ...] = (),
    ) -> Any:
        request = urllib.request.Request(f"{self.url}/api/v1/{path}", data=data, method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        if data is not None:
            request.add_header("Content-Type", media)
        if key is not None:
            request.add_header("Idempotency-Key", key)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                raw = answer.read()
                return json.loads(raw) if raw else None
        except urllib.error.HTTPError as error:
            problem = json.loads(error.read() or b"{}")
            if problem.get("code") in settled:
                return None
            raise DemonstrationFailed(
                f"{self.name} answered {error.code} {problem.get('code', '')} to {method} {path}"
            ) from None
        except (urllib.error.URLError, TimeoutError) as error:
            raise DemonstrationFailed(f"{self.name} does not answer ({error})") from None


def load(info: dict[str, Any], progress: Progress) -> None:
    """Load everything; `info` is what `make info` prints.

    With `DEMO=empty` in the environment only the doors are opened: a network for one's own data.
    """
    apis = {
        f"{organisation['id']}.{service['name']}": Api(
            f"{organisation['id']}.{service['name']}",
            service["url"],
            service["accounts"][0]["token"],
        )
        for organisation in info["organisations"]
        for service in organisation["services"]
    }
    steps: list[Callable[[dict[str, Api]], None]] = [open_doors]
    if os.environ.get("DEMO") != "empty":
        steps += [import_register, register_at_the_city, open_editions, refer_and_teach, the_rest]
    task = progress.add_task("demonstration", total=len(steps))
    for step in steps:
        step(apis)
        progress.advance(task)


def open_doors(apis: dict[str, Api]) -> None:
    """City and association both receive people at the four doors."""
    for organisation in ("comune", "ponte"):
        for name, address in DOORS.items():
            apis[f"{organisation}.intake"].post(
                "doors",
                {"name": name, "address": address, "languages": ["it", "fr", "en", "ar"]},
                key=f"demo-door-{name}".replace(" ", "-"),
                settled=("door_exists",),
            )


def import_register(apis: dict[str, Api]) -> None:
    """The register of the doors goes in at the association, bad rows and all."""
    intake = apis["ponte.intake"]
    job = intake.post("imports", REGISTER.read_bytes(), key="demo-register", media="text/csv")
    path = f"imports/{job['import_id']}"
    until("the register is imported", lambda: intake.get(path)["state"] in ("done", "failed"))
    if intake.get(path)["state"] == "failed":
        raise DemonstrationFailed("the register could not be imported; see the log of ponte.intake")


CITY_PEOPLE = (
    ("Adaeze", "Obi", "female", 1991, 4, 12, "NGA", "en"),
    ("Tariq", "Aziz", "male", 1986, 11, 3, "PAK", "ur"),
    ("Svitlana", "Bondar", "female", 1979, 1, 27, "UKR", "uk"),
    ("Yonas", "", "male", 2001, None, None, "ERI", "ti"),
    ("Ikram", "Bennani", "female", 1998, 6, 30, "MAR", "ar"),
    ("Blessing", "Idahosa", "female", 1995, 9, 9, "NGA", "en"),
)


def register_at_the_city(apis: dict[str, Api]) -> None:
    """Six people come to the city's own desk."""
    intake = apis["comune.intake"]
    door = next(d for d in intake.get("doors") if d["name"] == "Porta Sociale Centro")
    for number, (given, family, sex, year, month, day, country, language) in enumerate(CITY_PEOPLE):
        birth = {
            "year": year,
            "month": month,
            "day": day,
            "precision": "day" if day else "year",
        }
        person = intake.post(
            "persons",
            {
                "on": "2022-01-10",
                "door_id": door["door_id"],
                "name": {"given": given, "family": family},
                "birth": {key: value for key, value in birth.items() if value is not None},
                "sex": sex,
                "citizenships": [country],
                "languages": [language],
            },
            key=f"demo-person-{number}",
        )
        intake.post(
            "accesses",
            {
                "door_id": door["door_id"],
                "on": "2022-01-10",
                "kind": "orientation",
                "topics": ["language"],
                "languages": [language],
                "minutes": 30,
                "person_id": person["person_id"],
            },
            key=f"demo-access-{number}",
        )
        intake.post(
            f"persons/{person['person_id']}/needs",
            {"areas": ["language"], "on": "2022-01-10"},
            key=f"demo-need-{number}",
        )


def open_editions(apis: dict[str, Api]) -> None:
    """The school opens two editions, and the others learn of them."""
    common = {"threshold": 70, "childcare": True}
    for key, title, level, places, starts, ends in (
        (SPRING, "Italiano A1, mattina", "A1", 6, "2022-02-01", "2022-03-31"),
        (AUTUMN, "Italiano A2, sera", "A2", 10, "2022-10-03", "2022-12-16"),
    ):
        apis["scuola.courses"].post(
            "editions",
            {"title": title, "level": level, "places": places, "starts_on": starts}
            | {"ends_on": ends}
            | common,
            key=key,
        )


def people_of_the_register(apis: dict[str, Api]) -> Iterator[dict[str, Any]]:
    """People of the register who gave a name and a well-formed codice fiscale, as they stand there
    and as intake knows them."""
    seen = set()
    with REGISTER.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file, delimiter=";"):
            value = "".join(row["codice_fiscale"].split()).upper()
            if len(value) != 16 or not row["nome"] or value in seen:
                continue
            if value.startswith(("STP", "ENI")):
                continue
            seen.add(value)
            found = apis["ponte.intake"].post(
                "persons/search",
                {"identifier": {"kind": "codice_fiscale", "value": value}},
                settled=("identifier_check",),  # a slip of the register's: its row was refused
            )
            if found:
                yield {
                    "person_id": found[0]["person_id"],
                    "name": {"given": row["nome"], "family": row["cognome"]},
                }


@dataclass
class Story:
    """The course: who was referred to it, by whom, under which referral."""

    apis: dict[str, Api]
    edition: str
    referrals: dict[str, str]

    def refer(self, name: str, sender: str, person: dict[str, Any], **more: Any) -> None:
        body = {
            "person_id": person["person_id"],
            "recipient": "scuola",
            "area": "language",
            "language": "it",
            "age_band": "18_29",
            "edition_id": self.edition,
            "requested_on": "2022-01-12",
            "consent": {
                "given_on": "2022-01-12",
                "given_by": "person",
                "language": "fr",
                "text_version": "2022-1",
                "mediator": True,
            },
            "identity": {"name": person["name"]},
        } | more
        answer = self.apis[f"{sender}.referrals"].post(
            "referrals", body, key=f"demo-referral-{self.edition}-{name}"
        )
        self.referrals[name] = answer["referral_id"]

    def answer(self, name: str, recipient: str, verb: str, body: dict[str, Any]) -> None:
        """The recipient's desk acts on a referral, once it has come."""
        desk, referral = self.apis[f"{recipient}.referrals"], self.referrals[name]
        until(
            f"{recipient} has received a referral",
            lambda: any(r["referral_id"] == referral for r in desk.get("received?limit=100")),
        )
        desk.post(
            f"received/{referral}/{verb}",
            body,
            key=f"demo-{verb}-{referral}",
        )

    def enrolments(self) -> dict[str, dict[str, Any]]:
        names = {referral: name for name, referral in self.referrals.items()}
        listed = self.apis["scuola.courses"].get(f"editions/{self.edition}/enrolments")
        return {
            names[item["referral_id"]]: item for item in listed if item.get("referral_id") in names
        }

    def course(self, name: str, verb: str, body: dict[str, Any]) -> None:
        enrolment = self.enrolments()[name]["enrolment_id"]
        self.apis["scuola.courses"].post(
            f"editions/{self.edition}/enrolments/{enrolment}/{verb}",
            body,
            key=f"demo-{verb}-{enrolment}",
        )


def editions(apis: dict[str, Api]) -> dict[str, str]:
    """The ids of the two editions, once both senders know them."""
    found = {
        title: item["edition_id"]
        for item in apis["scuola.courses"].get("editions")
        for title in (item["title"],)
    }
    for sender in ("comune", "ponte"):
        if found_open := apis["scuola.courses"].get("editions?state=open"):
            wanted = {item["edition_id"] for item in found_open}
            desk = apis[f"{sender}.referrals"]
            until(
                f"{sender} knows the school's editions",
                lambda desk=desk, wanted=wanted: (  # type: ignore[misc]
                    wanted <= {offer["edition_id"] for offer in desk.get("offers?limit=100")}
                ),
            )
    return {"spring": found["Italiano A1, mattina"], "autumn": found["Italiano A2, sera"]}


ACCEPTED = ("p1", "c1", "p2", "c2", "p3", "c3", "p4", "p5")
LESSONS = ("2022-02-01", "2022-02-08", "2022-02-15", "2022-02-22", "2022-03-01")
ABSENT = {"p2": {"2022-02-08", "2022-02-22"}, "c2": {"2022-02-15", "2022-03-01"}}
LATE = {"c1": {"2022-02-08"}}


def refer_and_teach(apis: dict[str, Api]) -> None:
    """The spring edition, from the referrals to the certificates."""
    story = Story(apis, editions(apis)["spring"], {})
    state = apis["scuola.courses"].get(f"editions/{story.edition}")["state"]
    if state == "closed":
        return
    register = people_of_the_register(apis)
    city = [
        {
            "person_id": item["person_id"],
            "name": {"given": item["name"]["given"], "family": item["name"].get("family", "")},
        }
        for item in city_people(apis)
    ]
    for number in range(1, 7):
        story.refer(f"p{number}", "ponte", next(register))
    for number in range(1, 5):
        story.refer(f"c{number}", "comune", city[number - 1])
    story.answer("p6", "scuola", "reject", {"on": "2022-01-14", "reason": "not_eligible"})
    story.answer("c4", "scuola", "reject", {"on": "2022-01-14", "reason": "no_places"})
    for name in ACCEPTED:
        story.answer(name, "scuola", "accept", {"on": "2022-01-13"})
        until(f"{name} stands in the edition", lambda name=name: name in story.enrolments())  # type: ignore[misc]
    teach(story)
    for sender, mine in (("ponte", "p"), ("comune", "c")):
        desk = apis[f"{sender}.referrals"]
        ids = [id_ for name, id_ in story.referrals.items() if name.startswith(mine)]
        until(
            f"{sender} sees its loop closed",
            lambda desk=desk, ids=ids: all(  # type: ignore[misc]
                desk.get(f"referrals/{id_}")["state"] in ("completed", "failed", "rejected")
                for id_ in ids
            ),
        )


def teach(story: Story) -> None:
    """Placement, lessons with attendance, somebody leaving, tests, the end."""
    courses = story.apis["scuola.courses"]
    states = {name: item["state"] for name, item in story.enrolments().items()}
    if states["c3"] == "confirmed":
        story.course("c3", "withdraw", {"on": "2022-01-28"})
    if story.enrolments()["p4"]["state"] == "offered":
        story.course("p4", "accept-offer", {"on": "2022-01-29"})
    for name, level in (
        ("p1", "Pre-A1"),
        ("c1", "Pre-A1"),
        ("p2", "Alfa"),
        ("c2", "A1"),
        ("p3", "Pre-A1"),
        ("p4", "Pre-A1"),
    ):
        story.course(name, "entry-level", {"on": "2022-01-31", "level": level})
    lessons = {}
    for day in LESSONS:
        lessons[day] = courses.post(
            f"editions/{story.edition}/lessons",
            {"on": day, "minutes": 120, "room": "Aula 2", "teacher": "Maestra Lucia"},
            key=f"demo-lesson-{story.edition}-{day}",
        )["lesson_id"]
    for day in LESSONS:
        if day == LESSONS[2] and story.enrolments()["p3"]["state"] == "confirmed":
            story.course("p3", "drop", {"on": "2022-02-10", "reason": "work"})
            story.course("p5", "decline-offer", {"on": "2022-02-11"})
        hold(story, lessons[day], day)
    p2 = story.enrolments()["p2"]["enrolment_id"]
    courses.post(
        f"editions/{story.edition}/lessons/{lessons['2022-02-08']}/correct",
        {"on": "2022-02-09", "enrolment_id": p2, "presence": "present"},
        key=f"demo-correct-{story.edition}",
    )
    for name, level, passed in (
        ("p1", "A1", True),
        ("c1", "A1", True),
        ("p2", "A1", True),
        ("c2", "A1", True),
        ("p4", "Pre-A1", False),
    ):
        story.course(name, "final-test", {"on": "2022-03-29", "level": level, "passed": passed})
    courses.post(
        f"editions/{story.edition}/close",
        {"on": "2022-03-31"},
        key=f"demo-close-{story.edition}",
    )


def hold(story: Story, lesson: str, day: str) -> None:
    present = {
        name: item["enrolment_id"]
        for name, item in story.enrolments().items()
        if item["state"] == "confirmed"
    }
    attendance = []
    for name, enrolment in sorted(present.items()):
        entry: dict[str, Any] = {"enrolment_id": enrolment, "presence": "present"}
        if day in ABSENT.get(name, ()):
            entry["presence"] = "absent"
        elif day in LATE.get(name, ()):
            entry |= {"presence": "late", "minutes": 10}
        attendance.append(entry)
    story.apis["scuola.courses"].post(
        f"editions/{story.edition}/lessons/{lesson}/hold",
        {"on": day, "attendance": attendance},
        key=f"demo-hold-{lesson}",
        settled=("idempotency_key_reused", "lesson_held"),
    )


def city_people(apis: dict[str, Api]) -> list[dict[str, Any]]:
    """The six of the city's desk: asking again with the same keys gives the same persons."""
    intake = apis["comune.intake"]
    found = []
    for given, family, *_ in CITY_PEOPLE:
        match = intake.post("persons/search", {"name": f"{given} {family}".strip()})
        found.append(match[0])
    return found


def the_rest(apis: dict[str, Api]) -> None:
    """What a desk also sees: open requests, one taken back, one between the doors themselves."""
    story = Story(apis, editions(apis)["autumn"], {})
    register = people_of_the_register(apis)
    people = [next(register) for _ in range(9)][6:]
    city = [
        {"person_id": item["person_id"], "name": {"given": item["name"]["given"]}}
        for item in city_people(apis)
    ]
    story.refer("p7", "ponte", people[0])
    story.refer("p8", "ponte", people[1], urgency="urgent")
    story.refer("c5", "comune", city[4])
    story.refer("h1", "comune", city[5], recipient="ponte", area="housing", edition_id=None)
    story.answer("p7", "scuola", "accept", {"on": "2022-01-13"})
    until("p7 has a place", lambda: "p7" in story.enrolments())
    apis["comune.referrals"].post(
        f"referrals/{story.referrals['c5']}/cancel",
        {"on": "2022-01-13", "reason": "no_longer_needed"},
        key=f"demo-cancel-{story.referrals['c5']}",
    )
    story.answer("h1", "ponte", "accept", {"on": "2022-01-14"})
    desk = apis["ponte.referrals"]
    until(
        "the identity has come",
        lambda: desk.get(f"received/{story.referrals['h1']}").get("identity") is not None,
    )
    story.answer("h1", "ponte", "start", {"on": "2022-01-17"})
    story.answer("h1", "ponte", "complete", {"on": "2022-02-28", "outcome": "need_met"})


def until(what: str, condition: Callable[[], bool]) -> None:
    """Ask again until it is so; `DemonstrationFailed` names what did not come."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise DemonstrationFailed(
                f"not within {PATIENCE:.0f} s: {what}; `make logs` and `make status` say more"
            )
        time.sleep(0.1)
