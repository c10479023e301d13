"""`make golden`: write anew what the golden folders hold, from their inputs; the difference is then read by a person.

A case is a folder `<codec>/<name>/` of inputs: `request.json` (the document that the codec makes of a request, also of
one without a body), and `upstream.sse` and `upstream.json` where the endpoint answers so. What is made of them:
`segments.json` what the codec reads, `masked.json` the bytes that go upstream with personal data and credentials
masked, `refusal.json` the no to it where everything found blocks, `stream.sse` and `answer.json` what a client gets of
the answers, masked likewise, `answer_segments.json` what is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from deploy.dashboards.__main__ import main as write_dashboards
from detectors.types import Direction
from policies.loader import load_policy_text
from policies.types import Disclose, Facts, Policy
from proxy.app import Detection, load_detection
from proxy.bodies.json_document import dump, parse
from proxy.bodies.pointer import apply_edits
from proxy.bodies.walk import Walk
from proxy.codec import Codec, Refusal
from proxy.screen import Screen, Screened
from proxy.streams.streaming import StreamScreen
from tests.contracts.targets import TARGETS
from tests.golden.keys import pages
from tests.golden.metrics import EXPOSITION, PAGE, exposition_text, metrics_page
from tests.golden.operations import API_PAGE, OPENAPI, api_page, openapi_document
from tests.golden.providers import FILE, providers_page

HERE: Final = Path(__file__).parent
CASES: Final = sorted(file.parent for file in HERE.glob("*/*/request.json"))
_POLICY: Final = """
disclose: full
unscanned: {{media: flag, token_ids: flag}}
rules:
  - {{id: personal, when: {{category: [pii, credential]}}, action: {personal}}}
  - {{id: other, when: {{min_confidence: 0}}, action: {other}}}
"""


def outputs(case: Path, detection: Detection) -> Mapping[str, bytes]:
    """Return what the files of a case should hold, by name."""
    return asyncio.run(_outputs(case, detection))


async def _outputs(case: Path, detection: Detection) -> Mapping[str, bytes]:
    codec = next(codec for codec in detection.codecs if codec.name == case.parent.name)
    screen = Screen(detection.chain, detection.actions)
    body: Any = parse((case / "request.json").read_bytes())
    walk = codec.segments(body, Direction.REQUEST)
    masked, blocked = await _judged(screen, walk, _policy("mask")), await _judged(screen, walk, _policy("block"))
    apply_edits(body, masked.verdict.effect.edits)
    refusal = Refusal(blocked.verdict, Direction.REQUEST, Disclose.FULL, "decision-1")
    made = {
        "segments.json": _pretty(_read(walk)),
        "masked.json": dump(body) + b"\n",
        "refusal.json": _pretty(codec.refusal(refusal)),
    }
    stream, answer = case / "upstream.sse", case / "upstream.json"
    if stream.exists():
        made["stream.sse"] = b"".join([part async for part in _stream(codec, screen, stream.read_bytes())])
    return made | (await _answer(codec, screen, answer.read_bytes()) if answer.exists() else {})


async def _answer(codec: Codec, screen: Screen, upstream: bytes) -> dict[str, bytes]:
    document: Any = parse(upstream)
    walk = codec.segments(document, Direction.RESPONSE)
    masked = await _judged(screen, walk, _policy("mask"))
    apply_edits(document, masked.verdict.effect.edits)
    if masked.verdict.effect.edits:
        codec.without_copies(document)
    return {"answer_segments.json": _pretty(_read(walk)), "answer.json": dump(document) + b"\n"}


async def _stream(codec: Codec, screen: Screen, upstream: bytes) -> AsyncIterator[bytes]:
    policy = _policy("mask")
    streaming = StreamScreen(
        codec.stream(TARGETS[codec.name]),
        lambda walk: _judged(screen, walk, policy),
        lambda verdict: Refusal(verdict, Direction.RESPONSE, Disclose.FULL, "decision-1"),
        policy.block_as,
        glance=lambda segment, before: screen.glance(segment, before, 1),
    )

    async def chunks() -> AsyncIterator[bytes]:
        yield upstream

    async for part in streaming.run(chunks()):
        yield part


async def _judged(screen: Screen, walk: Walk, policy: Policy) -> Screened:
    return await screen.judge(walk, policy, Facts(at=0.0), 1, b"")


def _policy(personal: str) -> Policy:
    text = _POLICY.format(personal=personal, other="flag" if personal == "mask" else "block")
    return load_policy_text(text, Path("golden.yaml"), "golden").policy


def _read(walk: Walk) -> dict[str, object]:
    rows = [f"{s.origin} {s.place} {s.pointer} = {s.text}" for s in walk.segments]
    return {
        "segments": rows,
        "messages": [len(m) for m in walk.messages],
        "skipped": walk.skipped,
        "unscanned": walk.unscanned,
    }


def _pretty(document: object) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)


def main() -> None:
    """Write every case."""
    detection = load_detection()
    for case in CASES:
        for name, content in outputs(case, detection).items():
            (case / name).write_bytes(content)
    FILE.write_bytes(providers_page(detection.codecs))
    EXPOSITION.write_text(exposition_text())
    PAGE.write_text(metrics_page())
    OPENAPI.write_bytes(openapi_document())
    API_PAGE.write_text(api_page())
    for page, text in pages().items():
        page.write_text(text)
    write_dashboards()


if __name__ == "__main__":
    main()
