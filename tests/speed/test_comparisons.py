"""How a comparison measures, judges, prints and writes: its arithmetic by hand, its files, a real run."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import compare
import layer_sections
import page
import pytest
import results
import rounds
from layers import product
from results import Comparison, Goal
from rounds import Candidate, Pace

ROOT = Path(__file__).parents[2]
NONE = Goal()


def made(ratio, section="s", peer="p", goal=NONE, judged="median", rounds=3):
    return Comparison(section, f"x{ratio}", peer, 1, (1.0,) * rounds, (ratio,) * rounds, 2_000_000_000, 1, goal, judged)


def test_rounds_take_turns_and_turn_round():
    order, gaps = [], []
    candidates = [Candidate(name, lambda name=name: order.append(name), name == "b") for name in "ab"]
    times = rounds.interleaved(candidates, Pace(3, 0.0), gaps.append)
    assert "".join(order[-6:]) == "abbaab"
    assert gaps == [rounds.GAP] * 4  # after finding out how long it takes, and after each round
    assert [len(v) for v in times.values()] == [3, 3]


def test_two_candidates_of_one_name_are_refused():
    with pytest.raises(ValueError, match="one name: a, a"):
        rounds.interleaved([Candidate("a", int), Candidate("a", int)], Pace(1, 0.0))


def test_ratios_by_hand():
    times = {"peer": [2.0, 3.0, 8.0], "ours": [1.0, 2.0, 2.0]}
    assert rounds.ratios(times, "peer", "ours") == [2.0, 1.5, 4.0]
    one = Comparison("s", "x", "peer", 1, tuple(times["ours"]), tuple(times["peer"]), 1)
    assert one.ratio == 2.0
    assert Comparison("s", "x", "peer", 1, (3.0, 2.0), (1.0, 4.0), 1, judged="best").ratio == 0.5
    assert rounds.geometric_mean([2.0, 8.0]) == pytest.approx(4.0)


def test_goals_by_hand():
    goal = Goal(each=1.1, mean=1.4, stretch=1.5)
    (found,) = results.summaries([made(1.0, goal=goal), made(4.0, goal=goal)])
    assert [(w, round(r, 9), g, m) for w, r, g, m in found.verdicts] == [
        ("each", 1.0, 1.1, False),
        ("geometric mean", 2.0, 1.4, True),
        ("stretch", 2.0, 1.5, True),
    ]
    (alone,) = results.summaries([made(0.9, goal=Goal(each=0.85, stretch=0.95)), made(2.0)])
    assert [(w, r, m) for w, r, _, m in alone.verdicts] == [("each", 0.9, True), ("stretch", 0.9, False)]


def test_nothing_is_judged_by_a_loop_that_was_disturbed():
    goal = Goal(each=0.85)
    fine = [made(0.8, goal=goal, judged="best"), made(0.9, goal=goal, judged="best")]
    assert layer_sections.possible(fine) == fine
    void = layer_sections.possible([*fine, made(1.2, goal=goal, judged="best")])
    assert [one.met for one in void] == [None] * 3
    assert results.goal_table(results.summaries(void)).count("\n") == 1  # the head alone
    assert all(layer_sections.DISTURBED in one.note for one in void)


def test_tables_by_hand():
    table = results.section_table([made(1.0, goal=Goal(each=1.1)), made(1.0, peer="q")])
    assert table.splitlines() == [
        "|  | threads | ours, GMAC/s | p | q |",
        "| --- | --- | --- | --- | --- |",
        "| x1.0 | 1 | 2.0 | **1.00** (1.00–1.00) | 1.00 (1.00–1.00) |",
    ]
    assert results.figure(made(1.0, section="models: batch 1")) == "1000000.00 µs"


def test_a_page_keeps_what_is_outside_its_markers(tmp_path):
    file = tmp_path / "page.md"
    file.write_text(f"before\n{page.START}\nold\n{page.END}\nafter\n", encoding="utf-8")
    for _ in range(2):
        page.rewrite(file, "new")
        assert file.read_text(encoding="utf-8") == f"before\n{page.START}\n\nnew\n\n{page.END}\nafter\n"
    file.write_text(page.END + page.START, encoding="utf-8")
    with pytest.raises(page.PageError, match=r"page\.md needs"):
        page.rewrite(file, "new")


def test_the_page_of_results_can_be_rewritten():
    text = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    assert text.count(page.START) == text.count(page.END) == 1


@pytest.fixture
def one_section(monkeypatch):
    """compare.py with one section of two finished comparisons."""
    goal = Goal(each=1.1, mean=1.3, stretch=1.4)
    monkeypatch.setattr(
        compare, "SECTIONS", {"gemm": lambda setting: iter([made(1.0, goal=goal), made(2.0, goal=goal)])}
    )


def test_results_are_written_and_read_again(one_section, compiled_isa, tmp_path, capsys):
    file, second = tmp_path / "a" / "one.json", tmp_path / "two.json"
    assert compare.main(["--quick", "--only", "gemm", "--json", str(file)]) == 0
    first = capsys.readouterr().out
    assert "| s | p | 1 | 2 | 1.00–2.00 | geometric mean | 1.41 | 1.30 | yes |" in first
    assert compare.main(["--from", str(file), "--json", str(second)]) == 0
    assert capsys.readouterr().out == first
    assert json.loads(file.read_text(encoding="utf-8")) == json.loads(second.read_text(encoding="utf-8"))
    assert [c["ratios"] for c in json.loads(file.read_text(encoding="utf-8"))["comparisons"]] == [[1.0] * 3, [2.0] * 3]


def test_a_real_run(compiled_isa, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HWBLOCKS_ISA", compiled_isa)
    monkeypatch.setattr(compare, "QUICK", Pace(2, 0.0))
    for name in ("VECTORS", "PRODUCTS"):
        shapes = dict.fromkeys(getattr(layer_sections, name), product(8, 40, 24))
        monkeypatch.setattr(layer_sections, name, shapes)
    file = tmp_path / "one.json"
    assert compare.main(["--quick", "--only", "matvec,threads", "--json", str(file)]) == 0
    told = json.loads(file.read_text(encoding="utf-8"))
    assert {one["peer"] for one in told["comparisons"]} >= {"LiteRT (XNNPACK)", "ONNX Runtime s8s8", "one thread"}
    assert all(len(one["ratios"]) == 2 and one["ratio"] > 0 for one in told["comparisons"])
    assert told["isa"] == compiled_isa
    assert told["machine"]["processor"]


def test_an_unknown_section_is_named(capsys):
    with pytest.raises(SystemExit):
        compare.main(["--only", "gem"])
    assert "gem: there are gemm, conv" in capsys.readouterr().err


if find_spec("matplotlib"):  # of the bench extra

    def test_the_plot_shows_every_bar_and_is_the_same_each_time(tmp_path):
        from plot import plot

        files = [tmp_path / f"{i}.svg" for i in range(2)]
        for file in files:
            goal = Goal(each=1.1)
            shown = [made(0.5, goal=goal), made(3.0), made(7.25, "models: all", goal=goal)]
            plot([*shown, made(9.75, "no goal")], file, "a machine")
        text = files[0].read_text(encoding="utf-8")
        assert all(f">{word}<" in text for word in ("0.50", "3.00", "7.25", "models: all", "a machine"))
        assert ">no goal<" not in text
        assert text == files[1].read_text(encoding="utf-8")
