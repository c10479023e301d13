"""A worker's known attacks follow the database's counter, and stay while it is away."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from detectors.build import build_views
from detectors.builtin.transformer import Transformer
from detectors.chain import Chain
from detectors.errors import StorageError
from detectors.models.classifier_model import load_classifier
from detectors.models.known_attacks import NONE_KNOWN, WIDTH, KnownAttacks, as_known
from detectors.models.second_look import load_second_look
from detectors.types import Category
from proxy.additions.attack_keeping import AttackKeeping


@dataclass
class Reader:
    attacks: KnownAttacks = NONE_KNOWN
    away: bool = False
    asked: list[str] = field(default_factory=list)

    async def vectors(self, model: str) -> KnownAttacks:
        self.asked.append(model)
        if self.away:
            raise StorageError("away")
        return self.attacks


@pytest.fixture
def transformer() -> Transformer:
    return Transformer(load_classifier(), load_second_look())


async def test_a_moved_counter_brings_the_attacks_to_the_detector(transformer: Transformer) -> None:
    reader = Reader(as_known([[1.0] + [0.0] * (WIDTH - 1)], [Category.JAILBREAK]))
    keeping, before = AttackKeeping(reader, Chain([transformer], build_views(), "r")), transformer.revision
    assert [await keeping.check(counter) for counter in (None, 0, 3, 3)] == [None, None, 1, None]
    assert reader.asked == [transformer.model]
    assert transformer.revision != before


async def test_while_the_database_is_away_what_is_known_stays(transformer: Transformer) -> None:
    reader = Reader(away=True)
    keeping, before = AttackKeeping(reader, Chain([transformer], build_views(), "r")), transformer.revision
    assert await keeping.check(1) is None
    assert transformer.revision == before
    reader.away = False
    assert await keeping.check(1) == 0
