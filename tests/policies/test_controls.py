"""What a policy covers of a standard is told by what it does, not by what it is made of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from detectors.chain import Chain
from detectors.documents import parse_document
from detectors.errors import PolicyError
from policies.controls import ControlTable, cover, load_controls
from policies.engine import Actions
from policies.loader import load_policy_text, load_preset
from policies.types import Policy
from proxy.request_reader import CodecReader

Gaps = Callable[[str], Awaitable[dict[str, tuple[str, ...]]]]
PACK = "extends: [preset/standard, pack/gdpr]\n"


@pytest.fixture
def gaps(chain: Chain, actions: Actions, reader: CodecReader) -> Gaps:
    async def find(text: str) -> dict[str, tuple[str, ...]]:
        pack = load_preset("pack/gdpr")
        covered = await cover(compiled(text), pack, load_controls("pack/gdpr"), chain, actions, reader)
        return {item.control.id: item.gaps for item in covered if item.gaps}

    return find


def compiled(text: str) -> Policy:
    return load_policy_text(text, Path("acme.yaml"), "acme").policy


async def test_a_policy_that_extends_a_pack_covers_it(gaps: Gaps) -> None:
    assert await gaps(PACK) == {}


async def test_other_rules_that_do_the_same_cover_it_too(gaps: Gaps) -> None:
    own = "{id: mine, when: {category: [pii, credential]}, action: block}"
    assert "Art. 87" not in await gaps(f"extends: preset/standard\nrules: [{own}]")


async def test_a_rule_that_was_disabled_is_a_gap_with_its_test(gaps: Gaps) -> None:
    found = await gaps(f"{PACK}disable: [gdpr-national-numbers]")
    assert found == {"Art. 87": ("a national number stays here: pseudonymise instead of block",)}


async def test_a_setting_that_is_laxer_is_a_gap(gaps: Gaps) -> None:
    assert "Art. 5(1)(e)" in await gaps(f"{PACK}audit: {{retain: 2y}}")


async def test_a_policy_that_only_watches_covers_nothing(gaps: Gaps) -> None:
    assert len(await gaps(f"{PACK}mode: monitor")) == len(load_controls("gdpr").controls)


def test_an_unknown_pack_is_named_with_the_nearest() -> None:
    with pytest.raises(PolicyError, match="did you mean 'gdpr'"):
        load_controls("pack/gdrp")


def test_an_unknown_setting_is_an_error_with_its_line() -> None:
    control = "{id: c, meaning: what it asks for in words, settings: [audit.retian]}"
    text = f"title: t\nsource: s\noutside: [o]\ncontrols: [{control}]"
    with pytest.raises(PolicyError, match=r"controls.yaml:4: .*did you mean 'audit.retain'"):
        parse_document(text, Path("controls.yaml"), PolicyError).validate(ControlTable)
