"""The schema that editors check policy files against calls nothing wrong that loads, and a slip of the pen it does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import pytest

from detectors.documents import parse_document, read_document
from detectors.errors import ConfigurationError, PolicyError
from policies.schema import PolicyDocument, policy_schema

ROOT: Final = Path(__file__).parents[2]
SHIPPED: Final = sorted((ROOT / "policies").glob("p*s/*.yaml")) + sorted((ROOT / "policies/templates").glob("*.yaml"))
PUBLISHED: Final = jsonschema_rs.validator_for(policy_schema())


def shown() -> Iterator[tuple[str, Any]]:
    """Yield every block of the documentation that is a policy, or a part of one."""
    for page in sorted((ROOT / "docs").glob("*.md")):
        for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)):
            try:
                document = parse_document(block, page)
                document.validate(PolicyDocument)
            except (ConfigurationError, ValueError):
                continue  # a configuration, or a shortened one
            yield f"{page.stem} {number}", document.content


BLOCKS: Final = dict(shown())


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_what_ships_is_valid(file: Path) -> None:
    PUBLISHED.validate(read_document(file, PolicyError).content)


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_what_the_documentation_shows_is_valid(block: str) -> None:
    PUBLISHED.validate(BLOCKS[block])


def test_there_is_something_to_hold_it_against() -> None:
    assert (len(SHIPPED) >= 15, len(BLOCKS) >= 8) == (True, True)


@pytest.mark.parametrize(
    "text",
    [
        "mode: enforse",
        "modus: enforce",
        "rules: [{id: x, when: {category: piii}, action: flag}]",
        "rules: [{id: x, when: {min_severity: hihg}, action: flag}]",
        "rules: [{id: x, when: {origin: []}, action: flag}]",
        "limits: {requests: 600}",
        "limits: {text: [64 KiB]}",
        "judges: {budget: 5}",
        "candidate: {policy: a.yaml, until: 2027-03-01, sample: 0.01}",
    ],
)
def test_what_does_not_load_is_called_wrong(text: str) -> None:
    document = parse_document(text, Path("acme.yaml"))

    with pytest.raises(ConfigurationError):
        document.validate(PolicyDocument)
    assert not PUBLISHED.is_valid(document.content)
