"""Nobody finds out a small count from what is published: attacked by a solver of another make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.benchmarks.attacker import Attacker, Published

from togheter_reporting.disclosure.cells import (
    MINIMUM,
    Audience,
    Dimension,
    Figure,
    Filter,
    Key,
    Measure,
    Plan,
    Relation,
    Sensitive,
    Table,
)
from togheter_reporting.disclosure.joint import (
    Release,
    Snapshot,
    figures_of,
    protected,
)

CALM = settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


def table(*dimensions: str | tuple[str, ...], name: str = "t", **more: Any) -> Table:
    found = tuple(
        Dimension(title=str(levels), levels=(levels,) if isinstance(levels, str) else levels)
        for levels in dimensions
    )
    everywhere = frozenset(range(len(found)))
    names = more.pop("measures", ("persons",))
    return Table(
        name=name,
        title=name,
        dimensions=found,
        measures=tuple(Measure(name=each, over=everywhere) for each in names),
        **more,
    )


def plan(*tables: Table, insiders: str | None = None) -> Plan:
    return Plan(report="x", code="X", version=1, tables=tables, insiders=insiders)


def draft(
    plan_: Plan,
    position: int,
    counts: Mapping[str, Mapping[str, Mapping[Key, int]]],
    audience: Audience = Audience.PUBLIC,
    filter_: Filter | None = None,
) -> Release:
    snapshot = Snapshot(position=position, counts=counts)
    filter_ = filter_ or Filter()
    names = [each.name for each in plan_.tables if filter_.fits(each)]
    return Release(
        snapshot=snapshot,
        audience=audience,
        filter=filter_,
        figures=figures_of(plan_, snapshot, filter_, names),
    )


def published(release: Release, zeros: bool = True) -> Published:
    return Published(
        {
            (f"{figure.table}/{figure.measure}", figure.key): None
            if place in release.hidden
            else figure.value
            for place, figure in enumerate(release.figures)
        },
        zeros,
    )


def named(release: Release) -> dict[tuple[str, Key], Figure]:
    return {(f"{each.table}/{each.measure}", each.key): each for each in release.figures}


def grew(releases: Sequence[Release]) -> dict[tuple[int, str, Key], bool]:
    found = {}
    for number in range(1, len(releases)):
        before, after = (each.snapshot.counts for each in releases[number - 1 : number + 1])
        for name, measures in after.items():
            for measure, counts in measures.items():
                for key, value in counts.items():
                    up = value >= before[name][measure].get(key, 0)
                    found[(number, f"{name}/{measure}", key)] = up
    return found


def found_out(
    releases: Sequence[Release], least: int, *, zeros: bool = True, **more: Any
) -> list[str]:
    """What the attacker finds out: cells recovered, small counts and small differences narrowed."""
    attacker = Attacker([published(each, zeros) for each in releases], grew(releases), **more)
    known = [named(each) for each in releases]
    broken = []
    for number, name, key in attacker.hidden():
        low, high = attacker.interval(((number, name, key), 1.0))
        value = known[number][(name, key)].value
        assert low <= value <= high
        if low == high:
            broken.append(f"{number} {name} {key} is {low}")
        if value < least and high - low < 3:
            broken.append(f"{number} {name} {key} is {low} to {high}")
    for number, figures in enumerate(known):
        for (name, key), figure in figures.items():
            for earlier in range(number):
                old = known[earlier].get((name, key))
                change = figure.value - (old.value if old else 0)
                if 0 < abs(change) < least:
                    terms = [((number, name, key), 1.0)]
                    if old:
                        terms.append(((earlier, name, key), -1.0))
                    low, high = attacker.interval(*terms)
                    if high - low < 3:
                        broken.append(f"{name} {key} changed by {low} to {high}")
    attacker.close()
    return broken


@st.composite
def sparse(draw: st.DrawFn, sizes: Sequence[int] | None = None) -> dict[Key, int]:
    sizes = sizes or draw(st.sampled_from([(3,), (2, 3), (3, 3), (4, 4), (2, 3, 3), (2, 2, 2, 2)]))
    counts: dict[Key, int] = {}
    keys: list[Key] = [()]
    for place, size in enumerate(sizes):
        keys = [(*key, (f"{place}.{number}",)) for key in keys for number in range(size)]
    values = st.one_of(st.just(0), st.integers(1, 4), st.integers(5, 60))
    for key in keys:
        if value := draw(values):
            counts[key] = value
    return counts


def dimensions_of(counts: Mapping[Key, int]) -> list[str]:
    return [f"d{place}" for place in range(len(next(iter(counts), ((),))))]


# --- one release -----------------------------------------------------------------------------


@CALM
@given(sparse(), st.sampled_from(Audience))
def test_no_hidden_count_is_found_out_from_one_release(
    counts: dict[Key, int], audience: Audience
) -> None:
    made = plan(table(*dimensions_of(counts)))
    release = protected(made, [], draft(made, 1, {"t": {"persons": counts}}, audience))
    least = MINIMUM[audience]
    assert all(figure.value >= least for figure in release.shown)
    assert found_out([release], least) == []


FIVE_AND_MORE: dict[Key, int] = {
    (("a",), ("x",)): 2,
    (("a",), ("y",)): 17,
    (("b",), ("x",)): 30,
    (("b",), ("y",)): 41,
}


def test_hiding_the_small_counts_alone_gives_them_away() -> None:
    made = plan(table("d0", "d1"))
    whole = draft(made, 1, {"t": {"persons": FIVE_AND_MORE}})
    plain = frozenset(place for place, figure in enumerate(whole.figures) if 0 < figure.value < 5)
    assert "0 t/persons (('a',), ('x',)) is 2" in found_out([replace(whole, hidden=plain)], 5)
    assert found_out([protected(made, [], whole)], 5) == []


def test_without_the_programme_the_attack_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    made = plan(table("d0", "d1"))
    whole = draft(made, 1, {"t": {"persons": FIVE_AND_MORE}})
    monkeypatch.setattr(
        "togheter_reporting.disclosure.attack.Attack.protects", lambda *_, **__: True
    )
    assert found_out([protected(made, [], whole)], 5) != []


def test_as_few_figures_are_hidden_as_protect_the_one() -> None:
    made = plan(table("d0", "d1"))
    release = protected(made, [], draft(made, 1, {"t": {"persons": FIVE_AND_MORE}}))
    hidden = {release.figures[place].key for place in release.hidden}
    assert hidden == set(FIVE_AND_MORE)
    assert {figure.value for figure in release.shown} == {19, 71, 32, 58, 90}


def test_a_table_without_small_counts_is_published_whole() -> None:
    made = plan(table("d0", "d1"))
    counts: dict[Key, int] = {key: value + 10 for key, value in FIVE_AND_MORE.items()}
    release = protected(made, [], draft(made, 1, {"t": {"persons": counts}}))
    assert release.hidden == frozenset()


def test_an_only_small_count_takes_the_total_with_it() -> None:
    made = plan(table("d0"))
    release = protected(made, [], draft(made, 1, {"t": {"persons": {(("a",),): 3}}}))
    assert list(release.shown) == []


@CALM
@given(sparse((3, 2, 2)))
def test_levels_within_a_dimension_protect_each_other(counts: dict[Key, int]) -> None:
    nested: dict[Key, int] = {((*key[0], *key[1]), key[2]): value for key, value in counts.items()}
    made = plan(table(("organisation", "door"), "month"))
    release = protected(made, [], draft(made, 1, {"t": {"persons": nested}}))
    assert found_out([release], 5) == []


@CALM
@given(sparse((2, 3, 3)))
def test_tables_that_share_a_margin_protect_each_other(counts: dict[Key, int]) -> None:
    one: dict[Key, int] = {}
    other: dict[Key, int] = {}
    for (a, b, c), value in counts.items():
        one[(a, b)] = one.get((a, b), 0) + value
        other[(a, c)] = other.get((a, c), 0) + value
    made = plan(table("a", "b", name="one"), table("a", "c", name="other"))
    release = protected(
        made, [], draft(made, 1, {"one": {"persons": one}, "other": {"persons": other}})
    )
    shared = [((), ()), *((key[0], ()) for key in one)]
    same = [(("one/persons", key), ("other/persons", key)) for key in shared]
    assert found_out([release], 5, same=same) == []


@CALM
@given(sparse((2, 3)), sparse((2, 3)))
def test_measures_that_add_up_protect_each_other(
    one: dict[Key, int], other: dict[Key, int]
) -> None:
    whole = {key: one.get(key, 0) + other.get(key, 0) for key in one.keys() | other.keys()}
    made = plan(
        table(
            "a",
            "b",
            measures=("all", "one", "other"),
            relations=(Relation(whole="all", parts=("one", "other"), equal=True),),
        )
    )
    counts = {"t": {"all": whole, "one": one, "other": other}}
    release = protected(made, [], draft(made, 1, counts))
    assert found_out([release], 5, whole=(("t/all", ("t/one", "t/other")),)) == []


@CALM
@given(sparse((3, 3)))
def test_where_it_is_sensitive_zeros_are_hidden_and_ten_is_the_least(
    counts: dict[Key, int],
) -> None:
    rule = Sensitive(column="d1", values=frozenset({"1.0"}), minimum=10)
    made = plan(table("d0", "d1", sensitive=(rule,)))
    release = protected(made, [], draft(made, 1, {"t": {"persons": counts}}))
    sensitive = [each for each in release.figures if each.key[1] == ("1.0",)]
    assert {each.key[0] for each in sensitive} >= {key[0] for key in counts}
    for place, figure in enumerate(release.figures):
        if figure in sensitive and figure.value < 10:
            assert place in release.hidden
    only = replace(release, figures=release.figures)
    attacker = Attacker([published(only, zeros=False)])
    for number, name, key in attacker.hidden():
        low, high = attacker.interval(((number, name, key), 1.0))
        if key[1] == ("1.0",):
            assert high - low >= 3
    attacker.close()


# --- many releases -----------------------------------------------------------------------------


@st.composite
def growing(draw: st.DrawFn) -> list[dict[Key, int]]:
    found = [draw(sparse(draw(st.sampled_from([(3, 3), (2, 2, 2)]))))]
    for _ in range(draw(st.integers(1, 2))):
        last = dict(found[-1])
        for key in list(last):
            last[key] = max(0, last[key] + draw(st.sampled_from((0, 0, 1, 2, 4, 8, -1))))
        found.append({key: value for key, value in last.items() if value})
    return found


@CALM
@given(growing())
def test_releases_one_after_the_other_cannot_be_subtracted(series: list[dict[Key, int]]) -> None:
    made = plan(table(*dimensions_of(series[0])))
    releases: list[Release] = []
    for position, counts in enumerate(series):
        new = draft(made, position, {"t": {"persons": counts}})
        releases.append(protected(made, releases, new))
    assert found_out(releases, 5) == []


def test_one_more_person_is_not_seen_between_two_releases() -> None:
    made = plan(table("d0"))
    before: dict[Key, int] = {(("a",),): 20, (("b",),): 30}
    after: dict[Key, int] = {(("a",),): 21, (("b",),): 30}
    first = protected(made, [], draft(made, 1, {"t": {"persons": before}}))
    assert first.hidden == frozenset()
    second = draft(made, 2, {"t": {"persons": after}})
    alone = protected(made, [], second)
    assert found_out([first, alone], 5) != []
    assert found_out([first, protected(made, [first], second)], 5) == []


def test_where_it_is_sensitive_that_nobody_came_is_not_seen_either() -> None:
    rule = Sensitive(column="d1", values=frozenset({"protection"}), minimum=10)
    made = plan(table("d0", "d1", sensitive=(rule,)))
    before: dict[Key, int] = {
        (("a",), ("protection",)): 20,
        (("a",), ("work",)): 40,
        (("b",), ("protection",)): 30,
        (("b",), ("work",)): 50,
    }
    after = before | {(("a",), ("work",)): 60, (("b",), ("work",)): 80}
    first = protected(made, [], draft(made, 1, {"t": {"persons": before}}))
    assert first.hidden == frozenset()
    second = protected(made, [first], draft(made, 2, {"t": {"persons": after}}))
    attacker = Attacker([published(first), published(second, zeros=False)])
    for door in ("a", "b"):
        key = ((door,), ("protection",))
        low, high = attacker.interval(((1, "t/persons", key), 1.0), ((0, "t/persons", key), -1.0))
        assert low <= 0 <= high and high - low >= 3
    attacker.close()


def test_the_same_counts_again_are_published_as_before() -> None:
    made = plan(table("d0", "d1"))
    first = protected(made, [], draft(made, 1, {"t": {"persons": FIVE_AND_MORE}}))
    again = protected(made, [first], draft(made, 9, {"t": {"persons": dict(FIVE_AND_MORE)}}))
    assert again.hidden == first.hidden


def test_a_filter_is_no_way_round_what_was_hidden() -> None:
    made = plan(table("d0", "d1"))
    counts = {"t": {"persons": FIVE_AND_MORE}}
    first = protected(made, [], draft(made, 1, counts))
    only = Filter(values=(("d0", frozenset({"a"})), ("d1", frozenset({"y"}))))
    part = protected(made, [first], draft(made, 1, counts, filter_=only))
    assert list(part.shown) == []


@CALM
@given(sparse((4, 3)))
def test_overlapping_filters_and_the_whole_cannot_be_subtracted(counts: dict[Key, int]) -> None:
    made = plan(table("d0", "d1"))
    whole = {"t": {"persons": counts}}
    parts = [
        Filter(values=(("d0", frozenset(values)),)) for values in (("0.0", "0.1"), ("0.1", "0.2"))
    ]
    releases = [protected(made, [], draft(made, 1, whole, filter_=parts[0]))]
    for filter_ in (parts[1], Filter()):
        releases.append(protected(made, releases, draft(made, 1, whole, filter_=filter_)))
    cells: dict[tuple[str, Key], int | None] = dict(published(releases[2]).cells)
    made_of = {}
    for number, (release, filter_) in enumerate(zip(releases, parts, strict=False)):
        for (_, key), value in published(release).cells.items():
            (_, allowed), *_ = filter_.values
            cells[(f"part {number}", key)] = value
            made_of[(f"part {number}", key)] = [
                ("t/persons", (path, key[1]))
                for path in ((each,) for each in sorted(allowed))
                if key[0] in ((), path)
            ]
    attacker = Attacker([Published(cells)], made_of=made_of)
    values = {("t/persons", each.key): each.value for each in releases[2].figures}
    for number, name, key in attacker.hidden():
        low, high = attacker.interval(((number, name, key), 1.0))
        if name == "t/persons" and values[(name, key)] < 5:
            assert high - low >= 3, (key, low, high)
    attacker.close()


def test_what_the_authorities_know_is_kept_from_being_solved_with_what_is_public() -> None:
    made = plan(table("d0"))
    counts: dict[Key, int] = {(("a",),): 2, (("b",),): 3, (("c",),): 40}
    whole = {"t": {"persons": counts}}
    told = protected(made, [], draft(made, 1, whole, Audience.AUTHORITIES))
    everybody = protected(made, [told], draft(made, 1, whole))
    assert found_out([told], 3) == []
    shown = {each.key for each in told.shown} | {each.key for each in everybody.shown}
    both = replace(
        told,
        hidden=frozenset(
            place for place, figure in enumerate(told.figures) if figure.key not in shown
        ),
    )
    assert found_out([both], 3) == []


def test_an_organisation_does_not_subtract_itself_from_a_total() -> None:
    counts: dict[Key, int] = {
        (("ponte",), ("x",)): 3,
        (("ponte",), ("y",)): 40,
        (("comune",), ("x",)): 4,
        (("comune",), ("y",)): 50,
    }
    whole = {"t": {"persons": counts}}
    open_ = plan(table("organisation", "d1"))
    closed = plan(table("organisation", "d1"), insiders="organisation")
    total = (("x",),)
    seen = {
        each.key[1:]
        for each in protected(open_, [], draft(open_, 1, whole)).shown
        if each.key[0] == ()
    }
    kept = protected(closed, [], draft(closed, 1, whole))
    assert total in seen
    assert total not in {each.key[1:] for each in kept.shown if each.key[0] == ()}
