"""Figures: every system recognisable, on light and dark ground, and in a file of its own."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from itertools import combinations, pairwise

import pytest

from codec.registry import SYSTEMS
from evaluation import systems
from evaluation.analysis import figures
from evaluation.analysis.figures import style

SVG = "{http://www.w3.org/2000/svg}"


def parse(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314 -- made here


def look_of(slug: str) -> figures.Look:
    return systems.looks_of([slug])[slug]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("slug", [*SYSTEMS, *(f"C{number}" for number in range(40))])
@pytest.mark.parametrize("ground", ["#ffffff", "#171c1f"])
def test_every_system_stands_out_from_the_page(slug: str, ground: str) -> None:
    light, dark = sorted([luminance(look_of(slug)[0]), luminance(ground)], reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 3  # WCAG 1.4.11, graphical objects


def test_words_from_right_to_left_keep_their_place_and_take_their_direction() -> None:
    for anchor in ("start", "middle", "end"):
        arabic = style.text(10, 20, "نص abc 12!", anchor=anchor)
        assert 'unicode-bidi="plaintext"' in arabic
        assert f'text-anchor="{anchor}"' in arabic  # `direction` would put it on the other side
    assert 'unicode-bidi="plaintext"' in style.vertical_text(10, 20, "שלום")
    assert "unicode-bidi" not in style.text(10, 20, "BPGAN 2k, größer")
    drawn = style.frame(200, 40, "x", [style.text(10, 20, "نص abc 12!")])
    assert figures.png(drawn) != figures.png(drawn.replace(' unicode-bidi="plaintext"', ""))


def test_no_two_systems_look_the_same() -> None:
    looks = {(look_of(slug)[0], look_of(slug)[1]) for slug in SYSTEMS}
    assert len(looks) == len(SYSTEMS)
    for first, second in combinations(SYSTEMS.values(), 2):
        if first.family == second.family:  # one hue: the marker has to tell
            assert look_of(first.slug)[1] != look_of(second.slug)[1]


def test_systems_sort_as_in_the_registry_and_strangers_last() -> None:
    assert sorted(["mine", *reversed(SYSTEMS)], key=systems.order) == [*SYSTEMS, "mine"]


def test_grades_draw_each_grade_the_mean_and_the_interval() -> None:
    rows = [
        figures.GradeRow("Opus 9k", look_of("opus-9k"), [70, 80, 90, 60], [75, 75], 75.0, 8.0),
        figures.GradeRow("BPGAN <2k>", look_of("bpgan-2k"), [], [], None, None),
    ]
    svg = figures.grades(rows, "A & B")
    root = parse(svg)
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert "75.0 ± 8.0" in texts
    assert "no grades" in texts
    assert "BPGAN <2k>" in texts
    assert len(list(root.iter(f"{SVG}circle"))) == 4 + 1  # four grades and the mean
    assert "var(--text" in svg
    assert "var(" not in figures.standalone_svg(svg)
    parse(figures.standalone_svg(svg))


def test_intervals_stay_on_the_scale() -> None:
    svg = figures.grades(
        [figures.GradeRow("Opus 9k", look_of("opus-9k"), [95, 5], [95, 5], 50.0, 500.0)], "Wide"
    )
    xs = [float(x) for x in re.findall(r'<line x1="([\d.-]+)"', svg)]
    assert min(xs) == 156
    assert max(xs) == 728


@pytest.mark.parametrize("points", [[], [("opus-9k", 3.0)], [("opus-9k", 3.0), ("bpgan-2k", 3.0)]])
def test_a_scatter_of_little_is_still_a_figure(points: list[tuple[str, float]]) -> None:
    drawn = [figures.Point(SYSTEMS[slug].title, look_of(slug), x, 50.0, None) for slug, x in points]
    svg = figures.scatter(drawn, "PESQ-WB", "Few")
    parse(svg)
    assert "nan" not in svg


@pytest.mark.parametrize(
    ("scores", "ticks"),
    [
        ([0.71, 1.0], "0.70 0.75 0.80 0.85 0.90 0.95 1.00"),
        ([1.0], "0.90 0.92 0.94 0.96 0.98 1.00"),
        ([0.0, 0.02], "0.00 0.05 0.10 0.15 0.20"),
        ([0.91, 1.07], "0.90 0.95 1.00 1.05"),  # uploaded: what is there is drawn
    ],
)
def test_an_axis_ends_with_what_is_measured(scores: list[float], ticks: str) -> None:
    points = [figures.Point("Opus 9k", look_of("opus-9k"), score, 50.0, None) for score in scores]
    root = parse(figures.scatter(points, "STOI", "Bounded", labels=False, bounds=(0.0, 1.0)))
    written = [text.text for text in root.iter(f"{SVG}text") if text.get("y") == "330.0"]
    assert " ".join(filter(None, written)) == ticks
    dots = [float(dot.get("cx", "")) for dot in root.iter(f"{SVG}circle")]
    assert all(52 <= at <= 460 for at in dots)


@pytest.mark.parametrize("grade", [2.0, 50.0, 99.0])
def test_names_of_points_in_a_crowd_do_not_cover_each_other(grade: float) -> None:
    """Nor the axis, wherever the crowd is; eight systems in the middle, four at an end."""
    number = 8 if grade == 50 else 4
    points = [
        figures.Point(system.title, look_of(slug), 3 + n / 20, grade, 5.0)
        for n, (slug, system) in enumerate(SYSTEMS.items())
    ]
    rooms = rooms_of_names(figures.scatter(points[:number], "PESQ-WB", "Crowd"))
    assert len(rooms) == number
    assert all(room[1] >= 0 and room[3] <= 312 for room in rooms)
    assert not any(cover(a, b) for a, b in combinations(rooms, 2))


def test_the_name_of_a_point_at_the_edge_goes_out_of_the_way() -> None:
    points = [
        figures.Point(SYSTEMS[slug].title, look_of(slug), score, grade, 5.0)
        for slug, score, grade in (
            ("amrwb-6.6k", 2.28, 30.5),
            ("amrnb-4.75k", 2.05, 29.8),
            ("anchor70", 4.6, 50.2),
        )
    ]
    rooms = rooms_of_names(figures.scatter(points, "PESQ-WB", "Edge", bounds=(1.04, 4.64)))
    assert len(rooms) == 3
    assert not any(cover(a, b) for a, b in combinations(rooms, 2))


def rooms_of_names(svg: str) -> list[tuple[float, ...]]:
    """Left, top, right and bottom of the names of systems in a figure."""
    titles = {system.title for system in SYSTEMS.values()}
    rooms = []
    for text in parse(svg).iter(f"{SVG}text"):
        if text.text in titles:
            long, x, y = 6.6 * len(text.text), float(text.get("x", "")), float(text.get("y", ""))
            left = x - {"start": 0.0, "middle": long / 2, "end": long}[text.get("text-anchor", "start")]
            rooms.append((left, y - 11, left + long, y + 3))
    return rooms


def cover(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return not (a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1])


def test_a_cloud_stands_where_the_grades_are_and_ends_with_the_scale() -> None:
    scores = [100.0] * 20 + [90.0, 95.0, 85.0, 99.0]
    row = figures.GradeRow("Opus 9k", look_of("opus-9k"), scores, [97.0], 97.0, None)
    (cloud,) = parse(figures.grades([row], "Cloud")).iter(f"{SVG}polygon")
    corners = [tuple(map(float, corner.split(","))) for corner in cloud.get("points", "").split()]
    base = corners[0][1]
    xs, heights = [x for x, _ in corners[1:-1]], [base - y for _, y in corners[1:-1]]
    assert (xs[0], xs[-1]) == (156, 728)
    assert max(heights) == heights[-1] == 16
    assert heights[0] == 0


def test_too_many_grades_are_drawn_as_listeners() -> None:
    row = figures.GradeRow(
        "Opus 9k", look_of("opus-9k"), [float(n % 100) for n in range(601)], [49.0], 49.0, 1
    )
    assert len(list(parse(figures.grades([row], "Many")).iter(f"{SVG}circle"))) == 1 + 1


def test_a_line_breaks_where_a_listener_graded_nothing() -> None:
    systems_ = [(slug, look_of(slug)) for slug in ("original", "opus-9k", "bpgan-2k", "celp-8k")]
    lines = [
        figures.ListenerLine("A1", [90, 80, 70, 60]),
        figures.ListenerLine("A2", [90, 80, None, 60]),
        figures.ListenerLine("A3", [None, None, None, None]),
    ]
    root = parse(figures.listener_lines(systems_, lines, [90, 80, 70, None], "Lines"))
    drawn = [line.get("points", "").count(",") for line in root.iter(f"{SVG}polyline")]
    assert drawn == [4, 2]


@pytest.mark.parametrize("left", [[0.5] * 9, [-1.0, 1.0], [1e-3, -1e-3, 2e-3]])
def test_residuals_of_any_size_have_a_figure(left: list[float]) -> None:
    svg = figures.residuals([50.0] * len(left), left, "Residuals")
    assert len(list(parse(svg).iter(f"{SVG}circle"))) == 2 * len(left)
    assert "nan" not in svg


def test_a_curve_is_marked_where_its_power_suffices() -> None:
    curves = [
        figures.PowerCurve("5 points", [2, 10, 20], [0.1, 0.5, 0.9], 16),
        figures.PowerCurve("1 points", [2, 10, 20], [0.0, 0.1, 0.1], None),
    ]
    root = parse(figures.power_curves(curves, "Power", "listeners"))
    (mark,) = root.iter(f"{SVG}circle")
    assert float(mark.get("cx", "")) == pytest.approx(68 + 420 * 16 / 20)
    assert float(mark.get("cy", "")) == pytest.approx(16 + 220 * 0.2)


def test_both_axes_of_power_have_names_and_no_label_of_a_curve_touches_their_numbers() -> None:
    powers = (0.9, 0.12, 0.06, 0.05, 0.05)  # all but the first would stand below the axis
    curves = [
        figures.PowerCurve(f"{n} points", [2, 60], [0.0, power], None) for n, power in enumerate(powers)
    ]
    root = parse(figures.power_curves(curves, "Power", "listeners"))
    texts = {each.text or "": each for each in root.iter(f"{SVG}text")}
    assert {"power", "listeners"} <= set(texts)
    places = [float(texts[f"{n} points"].get("y", "nan")) for n in range(5)]
    assert places == sorted(places)
    assert all(below - above >= 16 for above, below in pairwise(places))
    # The numbers are 12 high and stand on this line.
    assert places[-1] < float(texts["60"].get("y", "nan")) - 12


def test_no_line_of_text_runs_out_of_its_figure() -> None:
    """Neither captions nor the mark of simulated grades, in the widest common font (0.6 of its size)."""
    row = figures.GradeRow("Opus 9k", look_of("opus-9k"), [70, 80], [75], 75.0, 8.0)
    points = [figures.Point("Opus 9k", look_of("opus-9k"), 3.0, 50.0, None)]
    lines = figures.listener_lines([("opus-9k", look_of("opus-9k"))], [], [75.0], "Lines")
    words = "SIMULATED GRADES: a program gave them, no listener; no result"
    for svg in (figures.grades([row], "Grades"), figures.scatter(points, "PESQ-WB", "Few"), lines):
        root = parse(style.stamp(svg, words))
        width = float(root.get("width", "nan"))
        told = [each for each in root.iter(f"{SVG}text") if each.get("text-anchor") == "start"]
        assert words in [each.text for each in told]
        for each in told:
            size = float(each.get("font-size", "13"))
            assert float(each.get("x", "nan")) + 0.6 * size * len(each.text or "") <= width, each.text
