"""docs/providers.md, made from the codecs: which requests are read, and who wrote what in each."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from detectors.types import Direction
from proxy.codec import Codec, OpenedOnly
from proxy.providers._stored import StoredRoutes
from tests.contracts.targets import TARGETS
from tests.planted import SURFACES
from tests.planted.surface import Surface

FILE: Final = Path(__file__).parents[2] / "docs" / "providers.md"
_INDEX: Final = re.compile(r"/\d+(?=/|$)")
_OPENED: Final = """\
JSON of any shape, both ways, where a policy opens the route: every value, key and long number counts as `unknown`. For
example `POST /v1/rerank`:
"""
_HEAD: Final = """\
# What is read of each provider's API

Made from the codecs by `make golden`; the tests hold it against them. Every other path or method is refused, in the
dialect's own error shape. Of what is listed every text is read in both directions, streamed or not: also in fields and
item types that are not named here, whose author then counts as `unknown`.

Who wrote a text decides which rules of a policy look at it (`origin:`); personal data and credentials are
looked for in all.

Of a request's headers few go on: `user-agent`, `http-referer`, `x-title`, `openai-beta`, the dialect's own
(`anthropic-version`, `anthropic-beta`, `x-goog-api-client`), each read like a text of the sender's and left out where
the policy would stop or mask what is found; `idempotency-key` as the tenant's own; `openai-organization` and
`openai-project` only with a credential of the client's. Of an answer's headers `retry-after` comes back, others as
`llm_provider-*` if they can be no sentence, credential or address and say nothing of the house's account.

| request | dialect | codec |
|---|---|---|
"""


def providers_page(codecs: Sequence[Codec]) -> bytes:
    """Return the page for these codecs."""
    ordered = sorted(codecs, key=lambda c: (isinstance(c, OpenedOnly), c.dialect != "openai", c.dialect, c.name))
    lines = [f"| {line} | {c.dialect or 'any'} | [{c.name}](#{c.name}) |" for c in ordered for line in _lines(c)]
    sections = [section for codec in ordered for section in _section(codec)]
    return (_HEAD + "\n".join(lines) + "\n" + "\n".join(sections)).encode()


def _lines(codec: Codec) -> tuple[str, ...]:
    """Return the request lines of a codec: all of them where it has a table of routes, else the one of its tests."""
    if isinstance(codec, OpenedOnly):
        return ("what a policy opens under `routes:`",)
    target = TARGETS[codec.name]
    if isinstance(codec, StoredRoutes):
        return tuple(f"`{route.method} {route.path}`" for route in codec.routes)
    return (f"`{target.method} {target.path}`",)


def _section(codec: Codec) -> Iterator[str]:
    yield f"\n## {codec.name}\n"
    if isinstance(codec, OpenedOnly):
        yield _OPENED
    surface = SURFACES.get(codec.name)
    if surface is None:
        yield f"{_lines(codec)[0]}: tried with the bodies in `tests/golden/{codec.name}`."
        return
    yield "| written by | where |\n|---|---|"
    for origin, places in sorted(_places(codec, surface).items()):
        yield f"| {origin} | {' · '.join(f'`{place}`' for place in sorted(places))} |"


def _places(codec: Codec, surface: Surface) -> dict[str, set[str]]:
    named, found = set(surface.places()), defaultdict[str, set[str]](set)
    for segment in codec.segments(surface.body, Direction.REQUEST).segments:
        if segment.pointer in named:
            path = _INDEX.sub("[]", segment.pointer).removeprefix("/").replace("/", ".")
            found[str(segment.origin)].add(path)
    return found
