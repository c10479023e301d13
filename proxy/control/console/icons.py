"""Small pictures drawn with lines, inside the page: one for each matter, and one shape for each action and severity."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from markupsafe import Markup

_SHAPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "overview": '<path d="M2 2h5v6H2zM9 2h5v3H9zM9 7h5v7H9zM2 10h5v4H2z"/>',
        "decisions": '<path d="M2 4h12M2 8h12M2 12h7"/>',
        "policies": '<path d="M4 1.5h6l3 3v10H4zM10 1.5v3h3M6.5 8h4M6.5 11h4"/>',
        "playground": '<path d="M6 2v4L2.5 13a1 1 0 0 0 1 1.5h9a1 1 0 0 0 1-1.5L10 6V2M5 2h6M4.5 10h7"/>',
        "exclusions": '<path d="M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM5 8h6"/>',
        "tenants": '<path d="M2 14V5l4-3 4 3v9M10 8h4v6M2 14h12M5 7h2M5 10h2"/>',
        "apps": '<path d="M2 2h5v5H2zM9 2h5v5H9zM2 9h5v5H2zM9 9h5v5H9z"/>',
        "keys": '<path d="M5 13a3 3 0 1 1 2.1-5.1L13 2M10.5 4.5l2 2"/>',
        "users": '<path d="M6 7.5A2.5 2.5 0 1 0 6 2.5a2.5 2.5 0 0 0 0 5zM1.5 14c0-2.5 2-4 4.5-4s4.5 1.5 '
        '4.5 4M11 3a2.3 2.3 0 0 1 0 4.3M12 10.3c1.6.5 2.5 1.9 2.5 3.7"/>',
        "robot": '<path d="M3 6h10v8H3zM8 6V3M6 2.5h4M6 9.5v1M10 9.5v1"/>',
        "usage": '<path d="M2 14h12M4 11v3M8 6v8M12 2v12"/>',
        "limits": '<path d="M2 12a6 6 0 1 1 12 0M8 12l3-4.5M2 12h12"/>',
        "incidents": '<path d="M8 2 1.5 13.5h13zM8 6.5v3.5M8 12v.1"/>',
        "reviews": '<path d="M1 8s2.5-5 7-5 7 5 7 5-2.5 5-7 5-7-5-7-5zM8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4z"/>',
        "judges": '<path d="M8 2v12M4 14h8M3 4h10M3 4 1 9h4zM13 4l-2 5h4z"/>',
        "audit": '<path d="M3 2h10v12H3zM6 5h4M6 8h4M6 11h2"/>',
        "signout": '<path d="M6 2H3v12h3M10 5l3 3-3 3M13 8H6"/>',
        "search": '<path d="M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM11 11l3.5 3.5"/>',
        "menu": '<path d="M2 4h12M2 8h12M2 12h12"/>',
        "down": '<path d="m4 6 4 4 4-4"/>',
        "allow": '<path d="m3 8.5 3.5 3.5L13 4.5"/>',
        "flag": '<path d="M4 14V2h8l-2 3 2 3H4"/>',
        "mask": '<path d="M2 5h12v6H2zM5 5v6M8 5v6M11 5v6"/>',
        "pseudonymise": '<path d="M2 5h11l-3-3M14 11H3l3 3"/>',
        "block": '<path d="M5 1.5h6L14.5 5v6L11 14.5H5L1.5 11V5zM5.5 5.5l5 5M10.5 5.5l-5 5"/>',
        "low": '<circle cx="8" cy="8" r="5"/>',
        "medium": '<circle cx="8" cy="8" r="5"/><path d="M8 3a5 5 0 0 1 0 10z" fill="currentColor"/>',
        "high": '<path d="M8 2.5 14 13H2z"/>',
        "critical": '<path d="M8 1.5 14.5 8 8 14.5 1.5 8z" fill="currentColor"/>',
        "info": '<circle cx="8" cy="8" r="6"/><path d="M8 7.5v3.5M8 5v.1"/>',
        "warning": '<path d="M8 2 1.5 13.5h13zM8 6.5v3.5M8 12v.1"/>',
        "good": '<circle cx="8" cy="8" r="6"/><path d="m5.5 8.2 1.8 1.8 3.3-3.8"/>',
        "bad": '<circle cx="8" cy="8" r="6"/><path d="m6 6 4 4M10 6l-4 4"/>',
        "clock": '<circle cx="8" cy="8" r="6"/><path d="M8 4.5V8l2.5 1.5"/>',
        "none": '<path d="M5 8h6"/>',
        "lock": '<path d="M3.5 7h9v7h-9zM5.5 7V5a2.5 2.5 0 0 1 5 0v2"/>',
        "plus": '<path d="M8 3v10M3 8h10"/>',
        "shield": '<path d="M8 1.5 3 3.5v4c0 3.2 2 5.6 5 7 3-1.4 5-3.8 5-7v-4z"/><path d="m5.7 7.8 1.7 1.7 3-3.3"/>',
    }
)


def icon(name: str) -> Markup:
    """Return a picture that screen readers pass over; an unknown name is a small line."""
    shape = _SHAPES.get(name, _SHAPES["none"])
    return Markup(  # noqa: S704 - shapes of our own
        f'<svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">{shape}</svg>'
    )
