"""A panel's answer as a picture for the documentation: plain SVG, no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

Points = Sequence[tuple[float, float]]
_WIDTH: Final = 720
_HEIGHT: Final = 240
_LEFT: Final = 56
_TOP: Final = 34
_BOTTOM: Final = 50
_COLOURS: Final = ("#3274d9", "#e0752d", "#56a64b", "#a352cc", "#e02f44", "#8f8f8f")


def picture(title: str, unit: str, series: Mapping[str, Points]) -> str:
    """Draw series of (seconds, value) over one axis from zero; their names stand below, at most six of them."""
    shown = dict(list(series.items())[: len(_COLOURS)])
    every = [point for points in shown.values() for point in points]
    first, last = min(x for x, _ in every), max(x for x, _ in every)
    most = max(1e-9, *(y for _, y in every))
    plot_width, plot_height = _WIDTH - _LEFT - 16, _HEIGHT - _TOP - _BOTTOM

    def at(point: tuple[float, float]) -> str:
        x = _LEFT + plot_width * (point[0] - first) / max(last - first, 1e-9)
        return f"{x:.1f},{_TOP + plot_height * (1 - point[1] / most):.1f}"

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"',
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="12" y="20" font-weight="bold">{escape(title)}</text>',
    ]
    for share in (0.0, 0.5, 1.0):
        y = _TOP + plot_height * (1 - share)
        lines.append(f'<line x1="{_LEFT}" x2="{_WIDTH - 16}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>')
        lines.append(
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{most * share:.3g} {escape(unit)}</text>'
        )
    for number, (name, points) in enumerate(shown.items()):
        colour, x = _COLOURS[number], _LEFT + number * (plot_width // len(_COLOURS))
        path = " ".join(map(at, points))
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        lines.append(f'<rect x="{x}" y="{_HEIGHT - 22}" width="10" height="10" fill="{colour}"/>')
        lines.append(f'<text x="{x + 14}" y="{_HEIGHT - 13}">{escape(name)}</text>')
    return "\n".join([*lines, "</svg>", ""])
