"""What is judged, saved and shown; the page and the plots are what the saved results say."""

import statistics
from pathlib import Path

import pytest

from benchmarks.drives.exchange import PERCENTILES, Sample, percentiles
from benchmarks.figures import (
    Bench,
    Figures,
    Point,
    Ratio,
    absent,
    core_rates,
    curves,
    latencies,
    limit,
    measure,
    rates,
    ratio,
)
from benchmarks.machine import ROOT
from benchmarks.plots import PLOTS, plotted
from benchmarks.readme import BESIDE, page_of, performance, records, with_section
from benchmarks.report import RESULTS, Record, load, missed, rounded, save


def bench(**rows: list[float]) -> Bench:
    return Bench("speed", "Speed", "steps/s", [Figures(*row) for row in rows.items()])


def test_the_page_has_what_the_saved_results_say() -> None:
    page = (ROOT / "README.md").read_text()
    assert page == page_of(page, records()), "run python -m benchmarks.readme"


def test_the_plots_show_what_the_saved_results_say() -> None:
    benches = [each for record in records().values() for each in record.benches]
    due = {f"{b.name}.svg": plotted(PLOTS[b.name], b) for b in benches if b.name in PLOTS}
    drawn = {path.name: path.read_text() for path in RESULTS.glob("*.svg")}
    assert drawn == due, "run python -m benchmarks.readme"


def test_every_plot_of_the_page_is_there() -> None:
    names = [line for line in performance(records()).splitlines() if line.startswith("![")]
    assert all((ROOT / line.rpartition("(")[2].rstrip(")")).is_file() for line in names)


def test_contestants_take_turns() -> None:
    order: list[str] = []

    def run(name: str) -> int:
        order.append(name)
        return len(order)

    taken = measure({"a": lambda: run("a"), "b": lambda: run("b")}, 2)
    assert order == ["a", "b", "a", "b"]
    assert taken == {"a": [1, 3], "b": [2, 4]}


def test_a_ratio_is_taken_within_each_round_against_the_best() -> None:
    found = ratio(bench(ours=[8, 9], old=[2, 9], new=[4, 3]), "ours", ["old", "new"], bar=1.5)
    assert found.values == [2, 1]
    assert found.name == "ours / the best OpenEnv"
    assert found.verdict == "met"


def test_a_rival_that_is_missing_leaves_the_others() -> None:
    rivals = bench(ours=[8, 9], old=[2, 3], new=[])
    assert ratio(rivals, "ours", ["old", "new"]).values == [4, 3]
    assert ratio(rivals, "ours", ["new"], bar=1).verdict == "not measured"
    assert absent(["new"])[0].note == "not installed"


@pytest.mark.parametrize(
    ("values", "at_least", "verdict"),
    [([1, 2, 9], True, "met"), ([1, 1, 9], True, "not met"), ([2, 1], False, "met")],
)
def test_the_median_decides(values: list[float], at_least: bool, verdict: str) -> None:
    assert Ratio("r", values, 2, at_least).verdict == verdict


def test_a_row_can_have_a_bar_of_its_own() -> None:
    found = limit(bench(ours=[8, 9, 10]), "ours", 9)
    assert (found.values, found.verdict) == ([8, 9, 10], "met")
    assert missed([Bench("b", "", "", [], [found, limit(bench(ours=[10]), "ours", 9)])]) == [
        found.name
    ]


def test_rates_are_by_the_clock_or_by_the_servers_time() -> None:
    samples = {"ours": [Sample(100, 2.0, 0.5, 1.0), Sample(300, 2.0, 0.5, 1.0)]}
    assert rates(samples)[0].values == [50, 150]
    assert core_rates(samples)[0].values == [100, 300]
    assert rates(samples)[0].note == "server 50%, load 25%"


def test_a_point_of_a_curve_knows_its_place() -> None:
    points = {Point("ours", 1, "lane"): [Sample(8, 2.0, 1.0, 1.0)]}
    points[Point("ours", 1024, "lane")] = [Sample(9, 2.0, 1.0, 1.0)]
    assert [(row.name, row.series, row.at) for row in curves(points)] == [
        ("ours, 1 lane", "ours", 1),
        ("ours, 1,024 lanes", "ours", 1024),
    ]


def test_percentiles_are_times_that_were_taken() -> None:
    times = [float(each) for each in range(1000)]
    assert percentiles(times) == (100, 250, 500, 750, 900, 950, 990, 999)
    assert percentiles([]) == ()
    assert percentiles([3.0]) == (3.0,) * len(PERCENTILES)


def test_a_latency_has_a_row_for_each_percentile() -> None:
    taken = percentiles([each / 1e6 for each in range(1000)])
    rows = latencies({"ours": [Sample(1000, 1.0, 1.0, 1.0, taken)]})
    shown = {row.name: row.values[0] for row in rows}
    assert shown["ours, p99"] == pytest.approx(990)
    assert {row.at for row in rows} == {*PERCENTILES}


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    judged = bench(ours=[8, 9], old=[2, 3])
    judged.ratios = [ratio(judged, "ours", ["old"], bar=4)]
    record = Record({"commit": "abc"}, 1.0, 2, [judged])
    save(tmp_path / "speed.json", record)
    assert load(tmp_path / "speed.json") == record
    assert '"verdict": "not met"' in (tmp_path / "speed.json").read_text()


def test_the_section_tells_bars_medians_and_the_machine() -> None:
    judged = bench(ours=[8, 9, 10], old=[2, 2, 2])
    judged.ratios = [ratio(judged, "ours", ["old"], bar=4), ratio(judged, "old", ["ours"])]
    facts = {"processor": "P", "system": "S", "commit": "abc", "ours": "o 1", "OpenEnv": "e 2"}
    text = performance({"load": Record(facts, 1.0, 3, [judged])})
    assert "| Speed | ours / old | **4.50** | 4.00 to 5.00 | at least 4 | met |" in text
    assert "old / ours" not in text
    assert "`load`: P; S; commit abc; 3 rounds of 1 s. o 1; e 2." in text


def test_the_section_shows_a_bar_of_nothing_and_what_stands_beside_one() -> None:
    rows: dict[str, list[float]] = {f"{BESIDE}, now": [3, 3], "old": [2, 2]}
    judged = bench(**rows)
    judged.ratios = [
        Ratio("modules", [0, 0], 0, at_least=False),
        ratio(judged, f"{BESIDE}, now", ["old"]),
    ]
    facts = {"processor": "P", "system": "S", "commit": "abc", "ours": "o 1"}
    text = performance({"imports": Record(facts, 1.0, 2, [judged])})
    assert "| Speed | modules | **0** | 0 to 0 | at most 0 | met |" in text
    assert f"|  | {BESIDE}, now / old | **1.50** | 1.50 to 1.50 |  |  |" in text


def test_only_what_is_between_the_markers_is_replaced() -> None:
    begin, end = "<!-- speed, by python -m benchmarks.readme -->", "<!-- end of speed -->"
    page = f"before\n{begin}\nold\n{end}\nafter\n"
    assert with_section(page, "speed", "new\n") == f"before\n{begin}\nnew\n{end}\nafter\n"
    with pytest.raises(ValueError, match="no lines <!-- speed"):
        with_section("no marker", "speed", "new")


@pytest.mark.parametrize(
    ("value", "text"), [(0.02465, "0.0246"), (4.5, "4.50"), (1135.2, "1,135"), (0, "0")]
)
def test_numbers_have_three_digits_and_no_power(value: float, text: str) -> None:
    assert rounded(value) == text


def test_saved_ratios_are_of_the_saved_figures() -> None:
    for record in records().values():
        for each in record.benches:
            assert each.figures
            assert all(len(row.values) in (0, record.rounds) for row in each.figures)
            assert all(statistics.fmean(row.values) > 0 for row in each.figures if row.values)
