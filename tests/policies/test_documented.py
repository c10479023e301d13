"""docs/policy.md names every key there is, and every word that a condition may read."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.limits_schema import LevelDocument, LimitsDocument
from policies.platform_file import CeilingsDocument, LockedDocument, PlatformDocument
from policies.risk_schema import RiskDocument
from policies.rule_schema import GoesDocument, RuleDocument, TimeDocument, WhenDocument
from policies.schema import (
    AuditDocument,
    CandidateDocument,
    ExclusionDocument,
    LeakageDocument,
    OutputDocument,
    PolicyDocument,
    RouteDocument,
    UnscannedDocument,
    WebhookDocument,
)
from policies.schema_words import Strict
from policies.situation import WORDS

TEXT = (Path(__file__).parents[2] / "docs/policy.md").read_text()
MODELS: list[type[Strict]] = [
    AuditDocument, CandidateDocument, CeilingsDocument, ExclusionDocument, GoesDocument, LeakageDocument,
    LevelDocument, LimitsDocument, LockedDocument, OutputDocument, PlatformDocument, PolicyDocument, RiskDocument,
    RouteDocument, RuleDocument,    TimeDocument, UnscannedDocument, WebhookDocument, WhenDocument,
]  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
def test_every_key_is_documented(model: type[Strict]) -> None:
    keys = [field.alias or name for name, field in model.model_fields.items()]
    assert len(keys) > 1
    assert [key for key in keys if f"`{key}`" not in TEXT and f"{key}:" not in TEXT] == []


def test_every_word_of_conditions_is_documented() -> None:
    line = TEXT[TEXT.index("Words of `if`") :].partition("\n\n")[0]
    assert [word for word in WORDS if f"`{word}`" not in line] == []
