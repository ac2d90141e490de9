"""A report is one folder: the example in the README is added to a running service as it stands."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from togheter_reporting import catalogue
from togheter_reporting.catalogue import FOLDER, Report, reports, views
from togheter_reporting.figures import read
from togheter_reporting.histories import history, interleave, store
from togheter_reporting.projection import project
from togheter_reporting.verify import verify
from togheter_shared.log import follow

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.parametrize("report", views(), ids=lambda found: found.name)
def test_each_statement_over_the_log_names_its_types_so_that_the_others_can_pass(
    report: Report,
) -> None:
    statements = [part for part in report.fold.split(";") if "batch" in part]
    named = [set(re.findall(r"'([a-z]+\.[a-z_]+)'", part)) for part in statements]
    assert statements and all(named)
    assert report.types == set().union(*named)


def test_the_example_in_the_readme_is_a_report_that_is_right_at_once(
    reporting: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    store(reporting.conn, interleave(history(2), 1))
    while follow.project(reporting.conn, project):
        pass
    folder = tmp_path / "reports"
    shutil.copytree(FOLDER, folder)
    (folder / "young_charge").mkdir()
    [example] = re.findall(r"```toml\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    (folder / "young_charge" / "definition.toml").write_text(example, "utf-8")
    monkeypatch.setattr(catalogue, "FOLDER", folder)
    reports.cache_clear()
    try:
        added = reports()["young_charge"]
        rows = read(reporting.conn, added).rows
        [found] = verify(reporting.conn, ["young_charge"])
        all_of_them = read(reporting.conn, reports()["charge"]).rows
    finally:
        reports.cache_clear()
    assert found.differences == ()
    assert {row[2] for row in rows} == {"15_29", "30_over", "unknown"}
    assert sum(row[-1] for row in rows) == sum(row[-1] for row in all_of_them) > 0
