"""Charts: axes hold all values, and no label lies on another, whatever was measured."""

import itertools
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.drawing.chart import LABEL_GAP, TOP, Chart, Line, Spot, drawn, spread
from benchmarks.drawing.scales import Scale, linear, logarithmic, shortened, sizes, tail
from benchmarks.figures import Bench, Figures
from benchmarks.plots import PLOTS, plotted

FIGURE = st.floats(1e-3, 1e9)
WITHIN = -1e-9, 1 + 1e-9


def holds(scale: Scale, values: list[float]) -> bool:
    return all(WITHIN[0] <= scale.place(each) <= WITHIN[1] for each in values)


@given(st.lists(FIGURE, min_size=1))
def test_a_linear_axis_begins_at_zero_and_holds_all(values: list[float]) -> None:
    scale = linear(values)
    assert holds(scale, [0.0, *values])
    assert 2 <= len(scale.ticks) <= 7
    assert holds(scale, [value for value, _ in scale.ticks])


@given(st.lists(FIGURE, min_size=1))
def test_a_logarithmic_axis_holds_all_between_round_numbers(values: list[float]) -> None:
    scale = logarithmic(values)
    assert holds(scale, values)
    assert len(scale.ticks) >= 1
    assert holds(scale, [value for value, _ in scale.ticks])
    assert len({name for _, name in scale.ticks}) == len(scale.ticks)


def test_sizes_stand_where_doubling_puts_them() -> None:
    scale = sizes([1, 16, 256, 16])
    assert [scale.place(each) for each in (1, 16, 256)] == [0, 0.5, 1]
    assert [name for _, name in scale.ticks] == ["1", "16", "256"]


def test_a_nine_more_is_the_same_way_further() -> None:
    scale = tail([90, 99, 99.9])
    assert [scale.place(each) for each in (90, 99, 99.9)] == pytest.approx([0, 0.5, 1])


@pytest.mark.parametrize(
    ("value", "text"), [(250_000, "250k"), (1.5e6, "1.5M"), (999, "999"), (0, "0"), (0.5, "0.5")]
)
def test_big_numbers_are_shortened(value: float, text: str) -> None:
    assert shortened(value) == text


@given(st.lists(st.floats(0, 300), min_size=1, max_size=12))
def test_labels_keep_apart_and_in_order(wanted: list[float]) -> None:
    places = spread(wanted, 0, 300)
    ordered = sorted(places)
    gaps = [below - above for above, below in itertools.pairwise(ordered)]
    assert all(gap >= LABEL_GAP - 1e-6 for gap in gaps)
    assert min(places) >= -1e-6
    assert max(places) <= 300 + 1e-6
    assert [y for _, y in sorted(zip(wanted, places, strict=True))] == ordered


def test_too_many_labels_are_told() -> None:
    with pytest.raises(ValueError, match="labels do not fit"):
        spread([1.0] * 100, 0, 300)


def chart(**labels: str) -> Chart:
    lines = [
        Line(label, kind, [Spot(at, at, 2 * at, 3 * at) for at in (1.0, 4.0)])
        for kind, label in labels.items()
    ]
    return Chart("A < B", "across", "up", sizes([1, 4]), linear([12]), lines)


def test_a_chart_is_xml_whose_parts_lie_within_the_picture() -> None:
    text = drawn(chart(ours="ours & theirs", rival="a rival"))
    root = ElementTree.fromstring(text)
    assert root.get("viewBox") == "0 0 820 430"
    places = re.findall(r' (?:x|x1|x2|cx)="([^"]*)"', text), re.findall(r' (?:y|cy)="(.*?)"', text)
    assert all(0 <= float(x) <= 820 for x in places[0])
    assert all(0 <= float(y) <= 430 for y in places[1])
    assert {each.text for each in root.iter("{http://www.w3.org/2000/svg}text")} >= {
        "A < B",
        "ours & theirs",
        "a rival",
    }


def test_the_same_chart_is_the_same_text() -> None:
    assert drawn(chart(ours="ours")) == drawn(chart(ours="ours"))


def test_a_higher_value_stands_higher() -> None:
    circles = re.findall(r'cy="(.*?)"', drawn(chart(ours="ours")))
    first, last = map(float, circles)
    assert TOP < last < first


def test_a_plot_leaves_out_who_was_not_there() -> None:
    rows = [Figures(f"ours {at}", [1e4 * at, 2e4 * at], "", "ours, inline", at) for at in (1, 16)]
    svg = plotted(PLOTS["connections"], Bench("connections", "", "steps/s", rows))
    assert ">ours</text>" in svg
    assert "OpenEnv" not in svg
    assert ">200k</text>" not in svg or ">300k</text>" in svg
