from __future__ import annotations

from dashboard.content.plots import HEADROOM, HEIGHT, WIDTH, plot


def coordinates(points: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (point.split(",") for point in points.split())]


def test_nothing_is_drawn_of_nothing() -> None:
    assert plot([], 300) == ("", "")


def test_the_newest_value_is_at_the_right_edge() -> None:
    assert coordinates(plot([5, 5, 5], 300).line)[0][0] == WIDTH


def test_a_full_ring_reaches_the_left_edge() -> None:
    line = coordinates(plot([1] * 300, 300).line)
    assert line[-1][0] == 0
    assert len(line) == 150


def test_the_peak_stays_inside_the_box_and_zero_lies_on_the_ground() -> None:
    heights = [y for _x, y in coordinates(plot([0, 0, 800, 0], 300).line)]
    assert min(heights) == HEADROOM
    assert plot([0, 0], 300).line == f"{WIDTH},{HEIGHT}.0"


def test_a_spike_of_one_second_is_not_averaged_away() -> None:
    assert all(min(y for _x, y in coordinates(plot(values, 300).line)) == HEADROOM for values in ([0, 9, 0], [9, 0, 0]))
