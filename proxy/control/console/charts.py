"""Small charts, drawn by the server as SVG without a style in it: the style sheet colours them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from proxy.control.console.figures import short

_HEIGHT: Final = 170
_LEFT: Final = 44
_BOTTOM: Final = 22
_TOP: Final = 8
_MOST: Final = 120  # bars; more are added up in groups
_STOPPED: Final = 1  # the series that is hatched as well as red, to be told apart without colours


@dataclass(frozen=True, slots=True)
class Bar:
    """One moment of a chart: its label, and what is stacked there, from the bottom."""

    label: str
    parts: tuple[float, ...]


def stacked(
    title: str, bars: Sequence[Bar], names: Sequence[str], looks: Sequence[int] = (0, 1, 2), width: int = 720
) -> Markup:
    """Return bars over time with a legend, or a line that there is nothing to draw.

    `looks` are the style sheet's series, `width` the units that the drawing is wide; a page has one of each `title`.
    """
    return _Chart(title, _thinned(bars), names, looks, width).drawn()


def meter(part: float, whole: float, title: str) -> Markup:
    """Return a part of something as a bar."""
    filled = min(part / whole, 1.0) if whole else 0.0
    return Markup(
        '<svg class="meter" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect width="{:.1f}" height="8"/></svg>'
    ).format(title, 100 * filled)


@dataclass(frozen=True, slots=True)
class _Chart:
    title: str
    bars: Sequence[Bar]
    names: Sequence[str]
    looks: Sequence[int]
    width: int

    def drawn(self) -> Markup:
        top = _nice(max((sum(bar.parts) for bar in self.bars), default=0))
        if not top:
            return Markup('<p class="quiet">Nothing happened in this time.</p>')
        step = (self.width - _LEFT) / len(self.bars)
        scale = (_HEIGHT - _BOTTOM - _TOP) / top
        parts = [self._hatch(), *(self._line(top, share, scale) for share in (0, 0.5, 1))]
        parts += [self._bar(bar, _LEFT + index * step, step * 0.78, scale) for index, bar in enumerate(self.bars)]
        every = max(1, -(-len(self.bars) // (self.width // 90)))
        labelled = range(every // 2, len(self.bars), every)
        parts += [self._label(self.bars[index].label, index, step, place) for place, index in enumerate(labelled)]
        return Markup(
            '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg><p class="legend">{}</p>'
        ).format(self.width, _HEIGHT, self.title, Markup("").join(parts), self._legend())

    @property
    def _hatching(self) -> str:
        return f"hatch-{self.title.lower().replace(' ', '-')}"

    def _hatch(self) -> Markup:
        return Markup(
            '<defs><pattern id="{}" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
            '<path class="hatch-line" d="M0 0v5"/></pattern></defs>'
        ).format(self._hatching)

    def _bar(self, bar: Bar, left: float, width: float, scale: float) -> Markup:
        level, drawn = float(_HEIGHT - _BOTTOM), []
        for look, part in zip(self.looks, bar.parts, strict=False):
            height = part * scale
            level -= height
            if height <= 0:
                continue
            place = Markup('x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="1"').format(
                left, level, width, height
            )
            drawn.append(Markup('<rect class="series-{}" {}/>').format(look, place))
            if look == _STOPPED:
                drawn.append(Markup('<rect fill="url(#{})" {}/>').format(self._hatching, place))
        told = ", ".join(f"{short(part)} {name}" for part, name in zip(bar.parts, self.names, strict=False))
        return Markup("<g><title>{}: {}</title>{}</g>").format(bar.label, told, Markup("").join(drawn))

    def _line(self, top: float, share: float, scale: float) -> Markup:
        y = _HEIGHT - _BOTTOM - top * share * scale
        return Markup(
            '<path class="axis" d="M{} {:.1f}H{}"/><text x="{}" y="{:.1f}" text-anchor="end">{}</text>'
        ).format(_LEFT, y, self.width, _LEFT - 6, y + 4, short(top * share))

    @staticmethod
    def _label(text: str, index: int, step: float, place: int) -> Markup:
        # A small screen shows every second one.
        return Markup('<text class="{}" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
            "second" if place % 2 else "first", _LEFT + (index + 0.4) * step, _HEIGHT - 5, text
        )

    def _legend(self) -> Markup:
        return Markup("").join(
            Markup('<span class="series-{}"><i></i>{}</span>').format(look, name)
            for look, name in zip(self.looks, self.names, strict=False)
        )


def _nice(highest: float) -> float:
    """Return a round number that is at least that."""
    if highest <= 0:
        return 0.0
    size = 10.0 ** (len(str(int(highest))) - 1) if highest >= 1 else 10.0 ** -len(f"{1 / highest:.0f}")
    return next(size * step for step in (1, 2, 2.5, 4, 5, 10, 20) if size * step >= highest)


def _thinned(bars: Sequence[Bar]) -> Sequence[Bar]:
    if len(bars) <= _MOST:
        return bars
    group = -(-len(bars) // _MOST)
    return [
        Bar(some[0].label, tuple(sum(column) for column in zip(*(bar.parts for bar in some), strict=True)))
        for some in (bars[start : start + group] for start in range(0, len(bars), group))
    ]
