from __future__ import annotations

import re

from proxy.control.console.charts import Bar, meter, stacked


def test_bars_are_as_high_as_what_they_stand_for() -> None:
    drawn = stacked("Requests", [Bar("a", (5, 5)), Bar("b", (10, 0))], ("answered", "stopped"))
    heights = [float(height) for height in re.findall(r'class="series-0"[^>]*height="([\d.]+)"', drawn)]
    assert heights[1] == 2 * heights[0]
    assert drawn.count('class="series-1"') == 2  # one bar, and the legend
    assert "b: 10 answered, 0 stopped" in drawn


def test_what_was_stopped_is_hatched_too() -> None:
    assert 'fill="url(#hatch-requests)"' in stacked("Requests", [Bar("a", (1, 1))], ("answered", "stopped"))


def test_names_of_strangers_are_escaped_and_nothing_has_a_style() -> None:
    drawn = stacked("<b>", [Bar("<i>", (1,))], ("<u>",)) + meter(1, 2, '"<s>')
    assert not re.search(r"<[bus]>|<i>[^<]", drawn)
    assert "style=" not in drawn


def test_nothing_is_drawn_of_nothing() -> None:
    for bars in ([], [Bar("a", (0, 0))]):
        assert "Nothing happened" in stacked("Requests", bars, ("answered",))


def test_many_bars_are_added_up() -> None:
    drawn = stacked("Requests", [Bar(str(n), (1,)) for n in range(1000)], ("answered",))
    assert drawn.count("<g>") <= 120
    assert "0: 9 answered" in drawn


def test_a_meter_stays_within_its_bounds() -> None:
    assert 'width="50.0"' in meter(1, 2, "half")
    assert 'width="100.0"' in meter(3, 2, "all")
    assert 'width="0.0"' in meter(3, 0, "of nothing")
