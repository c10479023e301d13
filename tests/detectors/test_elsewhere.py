"""Who else asks: only judges are worth asking around, and only with a store."""

from __future__ import annotations

import pytest

from detectors.elsewhere import Elsewhere, Occasion
from detectors.plan import plans_of
from detectors.types import InspectionContext, Stage
from tests.detectors.test_asking import Shared
from tests.detectors.test_plan import Named


def elsewhere(stage: Stage, shared: Shared | None) -> Elsewhere:
    (plan,) = plans_of([Named("a", stage, required=False)])
    return Elsewhere(plan, Occasion(InspectionContext(7), shared, 1.0, 0))


@pytest.mark.parametrize(("stage", "asked"), [(Stage.REFINER, {}), (Stage.JUDGE, {1: b"known"})])
async def test_only_of_judges_it_is_asked_who_else_asks(stage: Stage, asked: dict[int, bytes]) -> None:
    shared = Shared()
    await shared.claim(7, [b"known"], 5)

    assert await elsewhere(stage, shared).asked({0: b"new", 1: b"known"}) == asked


async def test_without_a_store_everything_is_ours() -> None:
    nobody = elsewhere(Stage.JUDGE, None)

    assert await nobody.asked({0: b"new"}) == {}
    assert await nobody.overhear({0: b"new"}, 1.0) == {}


async def test_only_what_was_ours_is_released() -> None:
    shared = Shared()
    await shared.claim(7, [b"theirs"], 5)
    ours = elsewhere(Stage.JUDGE, shared)
    await ours.asked({0: b"ours", 1: b"theirs"})

    await ours.release()

    assert list(shared.claimed) == [(7, b"theirs")]
