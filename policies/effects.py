"""What a verdict does: replace, stop, send elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from detectors.frozen import statically_frozen
from detectors.types import Span


@dataclass(frozen=True, slots=True)
class Pseudonym:
    """A replacement that only the proxy can make, since it has the text and the key."""

    kind: str


@statically_frozen
@dataclass(frozen=True, slots=True)
class Edit:
    """Replace `span` (characters of the string at `pointer`) by `replacement`."""

    pointer: str
    span: Span
    replacement: str | Pseudonym


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes instead: another model, another upstream, or both."""

    model: str = ""
    upstream: str = ""


@statically_frozen
@dataclass(frozen=True, slots=True)
class Effect:
    stop: bool = False
    edits: tuple[Edit, ...] = ()
    route: Route | None = None
    labels: tuple[str, ...] = ()
