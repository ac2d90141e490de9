"""Handlers are literal dictionaries, SQL takes parameters, and contracts are whole and declared."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Annotated, Any, get_args, get_type_hints
from uuid import UUID

import pytest

from togheter_shared.contracts import courses, intake, intake_cases, referrals
from togheter_shared.contracts.all import EVERY
from togheter_shared.contracts.contract import Audience, Contract
from togheter_shared.contracts.fields import DISCLOSED, PERSONAL, RESTRICTED

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("intake", "referrals", "courses", "reporting")
PRODUCERS = (intake, intake_cases, referrals, courses)
TABLES = ("views", "inbox_views", "reactions", "refusals")
OWN_TEXT = {"services/reporting/togheter_reporting/figures.py": 1}
"""Where a query is put together from the files of the package itself, and how often."""
CODE = [ROOT / "shared" / "togheter_shared", ROOT / "services", ROOT / "deploy"]


# --- the checks ----------------------------------------------------------------------------------


def not_literal(service: ast.Module, others: dict[str, ast.Module]) -> list[str]:
    """The tables of a `Service(…)` that are not written out as dictionaries from names."""
    homes = {
        alias.asname or alias.name: node.module or ""
        for node in service.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    found = []
    for call in ast.walk(service):
        if not (isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Service"):
            continue
        for keyword in call.keywords:
            if keyword.arg in TABLES:
                value: ast.expr | None = keyword.value
                if isinstance(value, ast.Name):
                    home = others.get(homes.get(value.id, ""), service)
                    value = assigned(home, value.id)
                if not isinstance(value, ast.Dict) or None in value.keys:
                    found.append(str(keyword.arg))
    return found


def assigned(module: ast.Module, name: str) -> ast.expr | None:
    for node in module.body:
        if isinstance(node, ast.Assign) and any(getattr(t, "id", "") == name for t in node.targets):
            return node.value
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == name:
            return node.value
    return None


def formatted_sql(tree: ast.Module) -> Iterator[int]:
    """Lines on which a query is put together from values; constants in capitals are not values."""
    for node in ast.walk(tree):
        if (
            not isinstance(node, ast.Call)
            or not isinstance(node.func, ast.Attribute)
            or not node.args
        ):
            continue
        query = node.args[0]
        if node.func.attr in ("execute", "executemany", "copy", "stream", "fetch") and made(query):
            yield node.lineno


def made(query: ast.expr) -> bool:
    match query:
        case ast.JoinedStr():
            parts = [part.value for part in query.values if isinstance(part, ast.FormattedValue)]
            return not all(isinstance(part, ast.Name) and part.id.isupper() for part in parts)
        case ast.BinOp():
            return not isinstance(query.left, ast.Constant) or not isinstance(
                query.right, ast.Constant
            )
        case ast.Call(func=ast.Attribute(attr="format", value=ast.Constant())):
            return True
        case ast.Call(func=ast.Attribute(attr="encode", value=inner)):
            return made(inner)
    return False


def undeclared(module: Any) -> list[str]:
    """Dataclasses of a module of contracts that are neither an event nor a part of one."""
    own = {
        found
        for found in vars(module).values()
        if isinstance(found, type) and is_dataclass(found) and found.__module__ == module.__name__
    }
    reached: set[type] = set()
    ahead: list[Any] = [contract.event for contract in module.CONTRACTS]
    while ahead:
        hint = ahead.pop()
        ahead.extend(get_args(hint))
        if isinstance(hint, type) and is_dataclass(hint) and hint not in reached:
            reached.add(hint)
            ahead.extend(get_type_hints(hint, include_extras=True).values())
    return sorted(found.__name__ for found in own - reached)


def not_frozen(module: Any) -> list[str]:
    return sorted(
        name
        for name, found in vars(module).items()
        if isinstance(found, type)
        and is_dataclass(found)
        and not (found.__dataclass_params__.frozen and all(f.kw_only for f in fields(found)))  # type: ignore[attr-defined]
    )


# --- what they say of this repository ------------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
def test_what_handles_an_event_is_written_out(service: str) -> None:
    folder = ROOT / "services" / service / f"togheter_{service}"
    trees = {
        f"togheter_{service}.{path.stem}": ast.parse(path.read_text("utf-8"))
        for path in folder.glob("*.py")
    }
    assert not_literal(trees[f"togheter_{service}.service"], trees) == []


def test_no_query_is_put_together_from_values() -> None:
    found = {
        str(path.relative_to(ROOT)): lines
        for folder in CODE
        for path in folder.rglob("*.py")
        if "tests" not in path.parts
        and (lines := list(formatted_sql(ast.parse(path.read_text("utf-8")))))
    }
    assert {name: len(lines) for name, lines in found.items()} == OWN_TEXT


@pytest.mark.parametrize("module", PRODUCERS, ids=lambda module: module.__name__.split(".")[-1])
def test_every_event_of_a_contract_is_declared_and_frozen(module: ModuleType) -> None:
    assert undeclared(module) == []
    assert not_frozen(module) == []


def test_an_event_is_named_after_the_service_that_tells_it() -> None:
    for contract in EVERY.contracts:
        producer = contract.event.__module__.rpartition(".")[2].split("_")[0]
        assert contract.type.startswith(f"{producer}."), contract.type


def test_whoever_an_event_is_about_or_for_is_one_of_its_open_fields() -> None:
    for contract in EVERY.contracts:
        for name in filter(None, (contract.subject, contract.recipient)):
            assert contract.classes[name].value == "open", f"{contract.type}: {name}"
        addressed = Audience.RECIPIENT in contract.audience
        assert addressed == (contract.recipient is not None), contract.type


# --- what they say of bad examples ---------------------------------------------------------------


@pytest.mark.parametrize("marker", [PERSONAL, RESTRICTED])
def test_what_stays_at_home_must_not_be_required_of_who_receives_the_event(marker: Any) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Told:
        person_id: UUID
        secret: str

    Told.__annotations__["secret"] = Annotated[str, marker]
    Told.__annotations__["person_id"] = UUID
    with pytest.raises(TypeError, match="secret does not travel"):
        Contract(event=Told, type="intake.told", audience=(Audience.REPORTING,))
    Contract(event=Told, type="intake.told")  # it stays at home: nobody has to do without it


def test_what_is_disclosed_to_the_recipient_may_be_required() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Disclosed:
        recipient: str
        name: str

    Disclosed.__annotations__.update(recipient=str, name=Annotated[str, DISCLOSED])
    Contract(event=Disclosed, type="x.y", audience=(Audience.RECIPIENT,), recipient="recipient")


@pytest.mark.parametrize(
    "text",
    [
        "from togheter_x.views import VIEWS\nSERVICE = Service(views=VIEWS)",
        "SERVICE = Service(reactions=collect())",
        "SERVICE = Service(views={**others})",
    ],
)
def test_a_table_that_is_not_written_out_is_found(text: str) -> None:
    views = ast.parse("VIEWS = dict(registered)")
    assert not_literal(ast.parse(text), {"togheter_x.views": views})


def test_a_table_that_is_written_out_elsewhere_is_fine() -> None:
    service = ast.parse("from togheter_x.views import VIEWS\nSERVICE = Service(views=VIEWS)")
    views = ast.parse("VIEWS: dict[type, View] = {Opened: note_opened}")
    assert not_literal(service, {"togheter_x.views": views}) == []


@pytest.mark.parametrize(
    ("call", "bad"),
    [
        ("conn.execute(f'select * from {table}')", True),
        ("conn.execute('select ' + column)", True),
        ("conn.execute('select %s' % value)", True),
        ("conn.execute('select {}'.format(value))", True),
        ("conn.execute(f'select {value}'.encode())", True),
        ("conn.execute(f'notify {WAKE_CHANNEL}')", False),
        ("conn.execute('select %s', [value])", False),
        ("conn.execute(sql.SQL('drop schema {}').format(sql.Identifier(name)))", False),
    ],
)
def test_a_query_that_is_put_together_from_values_is_found(call: str, bad: bool) -> None:
    assert bool(list(formatted_sql(ast.parse(call)))) is bad


def test_an_event_that_nobody_declared_is_found() -> None:
    @dataclass
    class Forgotten:
        x: int

    Forgotten.__module__ = "example"
    module = SimpleNamespace(__name__="example", Forgotten=Forgotten, CONTRACTS=())
    assert undeclared(module) == ["Forgotten"]
    assert not_frozen(module) == ["Forgotten"]
