"""From a template to a response: everything escaped, everything visible, nothing loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from proxy.control.console import charts, figures
from proxy.control.console.assets import Assets
from proxy.control.console.icons import icon
from proxy.control.console.marks import mark, said
from proxy.control.console.navigation import navigation
from proxy.control.console.times import time_element
from proxy.control.console.visible import exact, visible

LIVE: Final = "live"  # the block of a template that the script asks for by itself
_FOLDER: Final = Path(__file__).parent / "templates"
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types console"
)
HEADERS: Final[tuple[tuple[str, str], ...]] = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    # Not `no-referrer`: with that, browsers send forms with `Origin: null`.
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)


class Rendering:
    """The console's templates, and those in further `folders`, ready to be filled."""

    def __init__(self, assets: Assets, *folders: Path) -> None:
        self.assets = assets
        # Every expression passes `visible`, then the escaping; what is undefined is an error and not an empty place.
        self._environment = Environment(
            loader=FileSystemLoader((_FOLDER, *folders)),
            autoescape=True,
            finalize=visible,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {
            "asset": assets.address, "icon": icon, "mark": mark, "stacked": charts.stacked,
            "meter": charts.meter, "navigation": navigation, "said": said, "now": lambda: datetime.now(UTC),
        }  # fmt: skip
        self._environment.filters |= {
            "when": time_element, "ago": lambda value: time_element(value, short=True), "grouped": figures.grouped,
            "short": figures.short, "lasting": figures.lasting, "ms": figures.milliseconds, "money": figures.money,
            "exact": exact, "zip_pairs": lambda names: [(name, name) for name in names],
        }  # fmt: skip
        self._environment.globals |= {"share": figures.share, "counted": figures.counted}
        # Components, at hand in every template and in every part of one.
        for name, file in (("p", "parts.html"), ("r", "policy_reports.html"), ("d", "decision_rows.html")):
            self._environment.globals[name] = self._environment.get_template(file).module

    def response(self, template: str, values: Mapping[str, Any], status: int = 200, fragment: str = "") -> web.Response:
        """Return a page, or only the part that refreshes itself if it has one and `fragment` is its name."""
        found = self._environment.get_template(template)
        block = found.blocks.get(LIVE) if fragment == LIVE else None
        text = found.render(values) if block is None else "".join(block(found.new_context(dict(values))))
        return web.Response(text=text, status=status, content_type="text/html", charset="utf-8", headers=dict(HEADERS))
