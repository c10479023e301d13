"""A false positive of the log becomes an exclusion of its content, and with its text a test of that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from detectors.batch import reference
from detectors.errors import StorageError
from detectors.lexicon import Lexicon
from detectors.types import Direction, Origin
from policies.layers import Library
from policies.loader import load_policy_text
from policies.patching import with_item
from policies.testing import run_tests, text_segment
from proxy.app import Detection
from proxy.request_reader import CodecReader

# Authors by whom a test can have a text.
_TESTED: Final = frozenset({Origin.USER, Origin.TOOL, Origin.SYSTEM, Origin.ASSISTANT})
_LONGEST: Final = 64 << 10  # characters of a text that becomes a test


@dataclass(frozen=True, slots=True)
class Marked:
    """What the log has of the decision: its row, the findings to excuse, and their texts where they could be had."""

    row: dict[str, Any]
    scores: Sequence[dict[str, Any]]
    texts: dict[str, str]


@dataclass(frozen=True, slots=True)
class Excuse:
    """Who answers for an exclusion, why, and its last day (UTC)."""

    owner: str
    reason: str
    until: date


def decisive_scores(row: dict[str, Any], rule: str | None) -> list[dict[str, Any]]:
    """Return what decided, or what `rule` found, with a content to excuse. Raises StorageError where nothing did."""
    scores = [s for s in row["scores"] if (s["rule"] == rule if rule else s["policy_rule"] and s["action"] != "flag")]
    scores = [score for score in scores if score["content"] != "hmac:"]
    if not scores:
        raise StorageError(f"nothing that {rule or 'a rule'} found decided there")
    return scores


def mark(row: dict[str, Any], rule: str | None, text: str | None, content_key: bytes) -> Marked:
    """Say what of a decision is excused: by the hash of its content, which the log has; with its `text` tested, too.

    No stored text is copied into a policy, where others read it and no shredding of keys reaches it. A last line end
    more, as editors write it, does not matter. Raises StorageError where nothing can be excused, and where it is not
    the text in which that was found.
    """
    scores = decisive_scores(row, rule)
    if text is None:
        return Marked(row, scores, {})
    texts = {content_of(one, content_key): one for one in (text, text.removesuffix("\n").removesuffix("\r"))}
    if not any(score["content"] in texts for score in scores):
        raise StorageError("that is not the text in which it was found, character by character")
    return Marked(row, scores, texts)


def content_of(text: str, content_key: bytes) -> str:
    """Return a text's keyed hash as decisions and exclusions have it."""
    return f"hmac:{reference(text_segment(text, Origin.USER), content_key).content}"


async def patched(
    text: str,
    place: tuple[str, Path],
    marked: Marked,
    excuse: Excuse,
    detection: Detection,
    library: Library,
    added: Callable[[Lexicon], Lexicon],
) -> str:
    """Return a policy with the exclusions, and a test for each text that can be one; the test expects what is then
    decided. `place` is the policy's name and file; `library` has what it extends; `added` adds to its words what is
    looked for beside them. Raises PolicyError.
    """
    file = place[1]
    for score in marked.scores:
        scope = {"rule": score["rule"], "origin": score["origin"], "content": score["content"]}
        said = {"until": str(excuse.until), "owner": excuse.owner, "reason": excuse.reason}
        text = with_item(text, file, "exclusions", scope | said)
    for content in dict.fromkeys(score["content"] for score in marked.scores):
        score = next(score for score in marked.scores if score["content"] == content)
        judged = marked.texts.get(content)
        if judged is not None and len(judged) <= _LONGEST and Origin(score["origin"]) in _TESTED:
            test = _test(marked.row["id"], score, judged)
            text = await _with_test(text, place, test, detection, library, added)
    return text


def _test(decision_id: str, score: dict[str, Any], judged: str) -> dict[str, Any]:
    return {
        "name": f"no false positive any more ({decision_id})",
        "answer" if score["direction"] == Direction.RESPONSE else score["origin"]: judged,
        "content": score["content"],
        "at": f"{datetime.now(UTC):%Y-%m-%d}",
        "expect": "allow",
    }


async def _with_test(
    text: str,
    place: tuple[str, Path],
    test: dict[str, Any],
    detection: Detection,
    library: Library,
    added: Callable[[Lexicon], Lexicon],
) -> str:
    name, file = place
    changed = with_item(text, file, "tests", test)
    loaded = load_policy_text(changed, file, name, library=library).looking_for(added)
    reader = CodecReader(detection.codecs)
    result = (await run_tests(loaded, detection.chain, detection.actions, reader, loaded.tests[-1:]))[0]
    return with_item(text, file, "tests", test | {"expect": str(result.action)})
