# ruff: noqa: RUF001 -- the multiplication sign is meant
"""Summaries, verdicts, and the page that is made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.figures import FIGURES, Limit, Versus, verdict
from benchmarks.findings import Finding, Findings, at_least, below
from benchmarks.machine import Machine, machine
from benchmarks.peers import peers
from benchmarks.remora import REMORA
from benchmarks.report import markdown, page, text
from benchmarks.results import Results, load, summary

SHAPE = "smollm2-135m"


@pytest.fixture
def results() -> Results:
    here = Machine("Some CPU", 2, 23.6, "Linux 6", "3.11.7", "avx2")
    made = Results("2026-11-22", here, "cpu", 128, 64, rounds=3, repeats=2)
    for value in (300.0, 200.0, 310.0):
        made.add(SHAPE, "remora", "x8_base", value)
    made.add(SHAPE, "ai_toolkit", "x8_base", 30.0)
    made.add(SHAPE, "remora", "cold", 3.0)
    made.add(SHAPE, "ai_toolkit", "cold", 6.0)
    made.add(SHAPE, "remora", "add", 151.0)
    made.others = [0.1, 0.9]
    made.failures["transformers_serve"] = "can't be installed: no\nnetwork"
    made.versions["ai_toolkit"] = {"torch": "2.13.0"}
    return made


def test_a_summary_is_median_and_range() -> None:
    found = summary([3.0, 1.0, 2.0, 10.0])
    assert (found.median, found.least, found.most, found.count) == (2.5, 1.0, 10.0, 4)


@pytest.mark.parametrize(
    ("figure", "value", "met"),
    [
        (Versus("", "x8_base", "ai_toolkit", "x8_base", 8), "10.0", True),
        (Versus("", "x8_base", "ai_toolkit", "x8_base", 10.5), "10.0", False),
        (Versus("", "x8_base", "ai_toolkit", "x8_base", None), "10.0", None),
        (Versus("", "cold", "ai_toolkit", "cold", 2.2), "2.0", False),
        (Versus("", "x8_base", "peft_batch", "x8_base", 8), "-", None),
        (Limit("", "add", "ms", 150), "151 ms", False),
        (Limit("", "add", "ms", 151), "151 ms", True),
        (Limit("", "memory_beyond", "MB", 400), "-", None),
    ],
)
def test_a_figure_is_judged_by_medians(
    results: Results, figure: Versus | Limit, value: str, met: bool | None
) -> None:
    found = verdict(figure, results, SHAPE)
    assert found.value.startswith(value)
    assert found.met is met


def test_every_figure_names_a_peer_that_exists(results: Results) -> None:
    names = {peer.name for peer in peers()}
    assert {figure.peer for figure in FIGURES if isinstance(figure, Versus)} <= names
    assert [verdict(figure, results, SHAPE).title for figure in FIGURES]


def test_the_page_says_what_is_met_what_is_missing_and_when_it_was_noisy(results: Results) -> None:
    made = page([results], [REMORA, *peers()])
    line = next(line for line in made.splitlines() if line.startswith("| ×8 base, against"))
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells[1:] == ["at least 8 ×", "300.0 tokens/s", "30.0 tokens/s", "10.0 ×", "yes"]
    assert "**no**" in made
    assert "300 (200-310)" in made
    assert "2026-11-22" in made
    assert "torch 2.13.0" in made
    assert "**Not measured**: can't be installed: no network" in made
    assert "a noisy run" in made
    results.others = [0.0, 0.1]
    assert "a noisy run" not in page([results], [REMORA, *peers()])


def test_the_page_says_that_the_gpu_is_open_until_it_is_measured(results: Results) -> None:
    everyone = [REMORA, *peers()]
    assert "the row is open" in page([results], everyone)
    assert "Nothing has been measured yet" in page([], everyone)
    on_gpu = Results("2026-11-23", results.machine, "cuda", 128, 64, rounds=3, repeats=2)
    on_gpu.add(SHAPE, "remora", "x32_each", 5000.0)
    both = page([results, on_gpu], everyone)
    assert "the row is open" not in both
    assert "| ×32 an adapter each [tokens/s]" in both


def test_the_terminal_shows_the_same_figures(results: Results) -> None:
    shown = text(results, [REMORA, *peers()])
    assert "at least 8 ×" in shown
    assert "transformers_serve is missing" in shown


def test_results_survive_a_file(results: Results, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    results.save(file)
    assert load(file) == results


def test_columns_of_a_table_are_aligned() -> None:
    lines = markdown(["a", "long head"], [["some cell", "b"], ["c", "d"]]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1].strip("|-") == ""


def test_this_machine_can_be_described() -> None:
    assert machine().cores >= 1
    assert machine().processor


def test_the_page_has_what_smaller_benchmarks_found() -> None:
    here = Machine("Some CPU", 2, 23.6, "Linux 6", "3.11.7", "avx2")
    found = [
        at_least("speed", 0.9, 0.8),
        below("a wait", 2.5, 2, "s"),
        Finding("a size", "", "3 MB", met=None),
    ]
    shown = page([], [], [Findings("uploads", "Uploads", "2026-11-22", here, found)])
    assert "`python -m benchmarks.uploads`, 2026-11-22, Some CPU (avx2), 2 cores" in shown
    assert "| speed  | at least 80% | 90%      | yes    |" in shown
    assert "| a wait | under 2 s    | 2.5 s    | **no** |" in shown
    assert "| a size | -            | 3 MB     | -      |" in shown
