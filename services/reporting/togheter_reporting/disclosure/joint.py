"""A new release beside all earlier ones: what those who read them could subtract and solve."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import log1p

import numpy as np

from togheter_reporting.disclosure.attack import Attacker, Form, form
from togheter_reporting.disclosure.cells import (
    MINIMUM,
    Audience,
    Counts,
    Figure,
    Filter,
    Key,
    Measure,
    Path,
    Plan,
    Table,
)
from togheter_reporting.disclosure.protect import protect

_READS = {
    Audience.PUBLIC: {Audience.PUBLIC},
    Audience.AUTHORITIES: {Audience.PUBLIC, Audience.AUTHORITIES},
}

_NOTHING = form(())

Name = tuple[str, frozenset[tuple[str, str]], Filter]
"""A figure whichever table holds it: its measure, what its key says, what it was filtered by."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The finest counts of a report's tables at a position of the log."""

    position: int
    counts: Mapping[str, Counts]


@dataclass(frozen=True, kw_only=True)
class Release:
    """What was published, or is about to be: the `figures` of a snapshot, some of them hidden."""

    snapshot: Snapshot
    audience: Audience
    filter: Filter = field(default_factory=Filter)
    figures: tuple[Figure, ...]
    hidden: frozenset[int] = frozenset()
    """Places of the figures that are not shown."""

    @property
    def shown(self) -> Iterator[Figure]:
        return (figure for place, figure in enumerate(self.figures) if place not in self.hidden)


def figures_of(
    plan: Plan, snapshot: Snapshot, filter_: Filter, tables: Iterable[str]
) -> tuple[Figure, ...]:
    """Every figure of the tables, margins too; rows of zeros only where they are sensitive."""
    found: list[Figure] = []
    for name in tables:
        table, counts = plan.by_name[name], snapshot.counts[name]
        domain = table.domain(counts, _values(table, [snapshot]))
        for measure in table.measures:
            sums: dict[Key, int] = {}
            for key in domain:
                if filter_.takes(table, key):
                    value = counts[measure.name].get(key, 0)
                    for margin in table.margins(measure, key):
                        sums[margin] = sums.get(margin, 0) + value
            found.extend(
                Figure(table=name, measure=measure.name, key=key, value=sums[key])
                for key in sorted(sums)
            )
    return tuple(found)


def protected(plan: Plan, history: Sequence[Release], draft: Release) -> Release:
    """The draft with all those figures hidden that would give a small count away.

    Together with every release that a reader may have: a public one is checked for those who read
    nothing else, and for the authorities, who know more.
    """
    names: dict[Name, list[int]] = {}
    for place, figure in enumerate(draft.figures):
        names.setdefault(_name(plan, draft, figure), []).append(place)
    cells = list(names.values())
    primary = {
        number
        for number, places in enumerate(cells)
        if _is_small(plan, draft.figures[places[0]], draft.audience)
    }
    weights = [0.1 + log1p(draft.figures[places[0]].value) for places in cells]
    attackers = []
    for audience in Audience:
        if draft.audience in _READS[audience]:
            visible = [past for past in history if past.audience in _READS[audience]]
            knowledge = _Knowledge(plan, visible, draft, cells, audience)
            attackers.append(knowledge.attacker())
            if audience == draft.audience:
                attackers.extend(knowledge.insiders())
    hidden = protect(attackers, primary, weights)
    return Release(
        snapshot=draft.snapshot,
        audience=draft.audience,
        filter=draft.filter,
        figures=draft.figures,
        hidden=frozenset(place for number in hidden for place in cells[number]),
    )


def _name(plan: Plan, release: Release, figure: Figure) -> Name:
    told = plan.by_name[figure.table].named(figure.key)
    return figure.measure, frozenset(told.items()), release.filter


def _is_small(plan: Plan, figure: Figure, audience: Audience) -> bool:
    sensitive = plan.by_name[figure.table].sensitivity(figure.key)
    return _small(figure.value, sensitive, audience)


def _small(value: int, sensitive: int | None, audience: Audience) -> bool:
    """Whether so few are counted that they must not be; where it is sensitive, none is few."""
    if sensitive is not None:
        return abs(value) < max(sensitive, MINIMUM[audience])
    return 0 < abs(value) < MINIMUM[audience]


def _values(table: Table, snapshots: Sequence[Snapshot]) -> dict[int, set[Path]]:
    """The paths of each dimension that were ever counted, and the sensitive ones that could be."""
    found: dict[int, set[Path]] = {place: set() for place in range(len(table.dimensions))}
    for snapshot in snapshots:
        for counts in snapshot.counts[table.name].values():
            for key in counts:
                for place, path in enumerate(key):
                    found[place].add(path)
    for place, dimension in enumerate(table.dimensions):
        for rule in table.sensitive:
            if dimension.levels == (rule.column,):
                found[place].update((value,) for value in rule.values)
    return found


class _Knowledge:
    """The counts of all releases that one reader sees, numbered, and what follows about them."""

    def __init__(
        self,
        plan: Plan,
        history: Sequence[Release],
        draft: Release,
        cells: Sequence[Sequence[int]],
        audience: Audience,
    ) -> None:
        self._plan = plan
        self._draft = draft
        self._audience = audience
        self._cells = cells
        self._releases = sorted([*history, draft], key=lambda each: each.snapshot.position)
        self._snapshots: list[Snapshot] = []
        self._numbers: dict[int, int] = {}
        for release in self._releases:
            self._numbers[id(release)] = self._numbered(release.snapshot)
        self._places: list[dict[tuple[str, str], dict[Key, int]]] = []
        self._truth: list[int] = []
        self._least: list[int] = []
        values = {table.name: _values(table, self._snapshots) for table in plan.tables}
        for snapshot in self._snapshots:
            self._places.append({})
            for table in plan.tables:
                self._number(snapshot, table, values[table.name])
        self._filters = {Filter(): None} | {each.filter: None for each in self._releases}
        self._forms: dict[tuple[int, str, Filter], dict[tuple[str, Key], Form]] = {}

    def _numbered(self, snapshot: Snapshot) -> int:
        """The number of a snapshot; the same counts again are no news, and have the same."""
        for number, known in enumerate(self._snapshots):
            if known.counts == snapshot.counts:
                return number
        self._snapshots.append(snapshot)
        return len(self._snapshots) - 1

    def _number(
        self, snapshot: Snapshot, table: Table, values: Mapping[int, Iterable[Path]]
    ) -> None:
        counts = snapshot.counts[table.name]
        for key in sorted(table.domain(counts, {k: set(v) for k, v in values.items()})):
            sensitive = table.sensitivity(key) is not None
            for measure in table.measures:
                value = counts[measure.name].get(key, 0)
                if value or sensitive:
                    known = self._places[-1].setdefault((table.name, measure.name), {})
                    known[key] = len(self._truth)
                    self._truth.append(value)
                    self._least.append(0 if sensitive else 1)

    def attacker(self) -> Attacker:
        """Somebody who has every release that is visible, and solves them together."""
        return Attacker(
            truth=np.array(self._truth, float),
            least=np.array(self._least, float),
            equal=[*self._links(), *self._relations(equal=True)],
            positive=[*self._relations(equal=False), *self._growth()],
            known=[
                self._form(release, figure)
                for release in self._releases
                if release is not self._draft
                for figure in release.shown
            ],
            cells=[
                [self._form(self._draft, self._draft.figures[place]) for place in places]
                for places in self._cells
            ],
            targets=[*self._small_counts(), *self._small_differences()],
        )

    def insiders(self) -> Iterator[Attacker]:
        """The same reader, who besides knows what one organisation itself has told."""
        column = self._plan.insiders
        if column is None:
            return
        own: dict[str, list[int]] = {}
        for places in self._places:
            for (name, _), keys in places.items():
                table = self._plan.by_name[name]
                for key, place in keys.items():
                    if column in table.levels:
                        own.setdefault(table.named(key)[column], []).append(place)
        everything = self.attacker()
        for places_known in own.values():
            mine = set(places_known)
            yield Attacker(
                truth=everything.truth,
                least=everything.least,
                equal=everything.equal,
                positive=everything.positive,
                known=[*everything.known, *(form([(place, 1.0)]) for place in places_known)],
                cells=everything.cells,
                targets=[
                    target for target in self._small_counts() if not mine & set(target.places)
                ],
            )

    # --- what is known of all counts -------------------------------------------------------------

    def _links(self) -> Iterator[Form]:
        """What two tables of a snapshot share is the same in both."""
        tables = self._plan.tables
        pairs = [(one, other) for place, one in enumerate(tables) for other in tables[place + 1 :]]
        for places in self._places:
            for one, other in pairs:
                shared = sorted(one.levels & other.levels)
                for measure in one.measures:
                    twin = next((m for m in other.measures if m.name == measure.name), None)
                    if twin is None or not _adds_up(one, measure, shared):
                        continue
                    if _adds_up(other, twin, shared):
                        left = _grouped(one, places.get((one.name, measure.name), {}), shared)
                        right = _grouped(other, places.get((other.name, measure.name), {}), shared)
                        for told in left.keys() | right.keys():
                            yield form(
                                [(place, 1.0) for place in left.get(told, ())]
                                + [(place, -1.0) for place in right.get(told, ())]
                            )

    def _relations(self, *, equal: bool) -> Iterator[Form]:
        truth = np.array(self._truth, float)
        for places in self._places:
            for table in self._plan.tables:
                for relation in table.relations:
                    if relation.equal == equal:
                        for each in _related(places, table.name, relation.whole, relation.parts):
                            value = each.at(truth)  # what came late may have broken the relation
                            if value == 0 if equal else value >= 0:
                                yield each

    def _growth(self) -> Iterator[Form]:
        """The attacker guesses right, of every count, whether it grew or shrank."""
        for before, after in zip(self._places, self._places[1:], strict=False):
            for name, keys in after.items():
                for key, place in keys.items():
                    earlier = before.get(name, {}).get(key)
                    if earlier is not None:
                        grew = self._truth[place] >= self._truth[earlier]
                        sign = 1.0 if grew else -1.0
                        yield form([(place, sign), (earlier, -sign)])

    # --- figures ---------------------------------------------------------------------------------

    def _form(self, release: Release, figure: Figure) -> Form:
        forms = self._all(self._numbers[id(release)], figure.table, release.filter)
        return forms.get((figure.measure, figure.key), _NOTHING)

    def _all(self, number: int, name: str, filter_: Filter) -> dict[tuple[str, Key], Form]:
        """The forms of every figure of a table in a snapshot, margins too."""
        found = self._forms.get((number, name, filter_))
        if found is None:
            table = self._plan.by_name[name]
            terms: dict[tuple[str, Key], list[tuple[int, float]]] = {}
            for measure in table.measures:
                for key, place in self._places[number].get((name, measure.name), {}).items():
                    if filter_.takes(table, key):
                        for margin in table.margins(measure, key):
                            terms.setdefault((measure.name, margin), []).append((place, 1.0))
            found = {figure: form(each) for figure, each in terms.items()}
            self._forms[(number, name, filter_)] = found
        return found

    def _small_counts(self) -> Iterator[Form]:
        truth = np.array(self._truth, float)
        for number in range(len(self._snapshots)):
            for table, filter_ in self._tables():
                for (_, key), each in self._all(number, table.name, filter_).items():
                    if _small(int(each.at(truth)), table.sensitivity(key), self._audience):
                        yield each

    def _small_differences(self) -> Iterator[Form]:
        truth = np.array(self._truth, float)
        for later in range(len(self._snapshots)):
            for earlier in range(later):
                for table, filter_ in self._tables():
                    old = self._all(earlier, table.name, filter_)
                    for (name, key), new in self._all(later, table.name, filter_).items():
                        each = _difference(new, old.get((name, key)))
                        if _small(int(each.at(truth)), table.sensitivity(key), self._audience):
                            yield each

    def _tables(self) -> Iterator[tuple[Table, Filter]]:
        for table in self._plan.tables:
            for filter_ in self._filters:
                if filter_.fits(table):
                    yield table, filter_


def _difference(new: Form, old: Form | None) -> Form:
    terms = list(zip(new.places.tolist(), new.factors.tolist(), strict=True))
    if old is not None:
        terms += [
            (place, -factor)
            for place, factor in zip(old.places.tolist(), old.factors.tolist(), strict=True)
        ]
    return form(terms)


def _adds_up(table: Table, measure: Measure, shared: Sequence[str]) -> bool:
    return all(
        place in measure.over
        for place, dimension in enumerate(table.dimensions)
        if not set(dimension.levels) <= set(shared)
    )


def _grouped(
    table: Table, keys: Mapping[Key, int], shared: Sequence[str]
) -> dict[tuple[str, ...], list[int]]:
    found: dict[tuple[str, ...], list[int]] = {}
    for key, place in keys.items():
        named = table.named(key)
        found.setdefault(tuple(named[level] for level in shared), []).append(place)
    return found


def _related(
    places: Mapping[tuple[str, str], Mapping[Key, int]],
    table: str,
    whole: str,
    parts: Sequence[str],
) -> Iterator[Form]:
    """Sum of parts less the whole, for each key; what is no place is a zero that is known."""
    sides = [places.get((table, name), {}) for name in (whole, *parts)]
    for key in dict.fromkeys(key for side in sides for key in side):
        terms = [(sides[0][key], -1.0)] if key in sides[0] else []
        yield form(terms + [(side[key], 1.0) for side in sides[1:] if key in side])
