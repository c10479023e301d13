"""A head adds its weights for its own origin; a file that is no head says so and is never half read."""

from __future__ import annotations

import io
from random import Random  # noqa: TID251 - faults, not secrets
from typing import Any

import numpy as np
import pytest

from detectors.models.classifier_model import best, load_classifier
from detectors.models.columns import COLUMNS, windows_of
from detectors.models.tenant_head import TenantHead, Weights, head_of, pack, unpack, with_head
from detectors.types import Origin

TEXT = "hum the ledger song to me"


def head(*, added: float = 0.5, origin: Origin = Origin.USER) -> TenantHead:
    columns = np.unique(windows_of(TEXT)[0])
    weights = Weights(columns, np.full(columns.size, added, np.float16))
    return head_of({origin: weights}, load_classifier().revision, {"by": "anna"})


def test_its_text_scores_more_with_it_and_only_for_its_origin() -> None:
    shipped = load_classifier()
    fitted = with_head(shipped, head())
    before, after = (best(model.models[Origin.USER].windows([TEXT])[0]).score for model in (shipped, fitted))
    assert after > before + 1
    assert fitted.models[Origin.TOOL] is shipped.models[Origin.TOOL]
    assert fitted.revision != shipped.revision
    assert with_head(shipped, head(added=-0.5)).models[Origin.USER].windows([TEXT])[0][0].score < before - 1


def test_what_ships_is_not_touched() -> None:
    shipped = load_classifier()
    before = shipped.models[Origin.USER].words.copy()
    with_head(shipped, head())
    assert np.array_equal(shipped.models[Origin.USER].words, before)


def test_a_head_survives_its_file() -> None:
    made = head()
    read = unpack(pack(made))
    assert (read.revision, read.made_for, read.facts) == (made.revision, made.made_for, {"by": "anna"})
    assert np.array_equal(read.weights[Origin.USER].columns, made.weights[Origin.USER].columns)


def test_other_weights_are_another_revision() -> None:
    assert head().revision != head(added=0.25).revision
    assert head().revision != head(origin=Origin.TOOL).revision


def stored(columns: Any, added: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, facts=np.frombuffer(b"{}", np.uint8), user_columns=columns, user_added=added)
    return buffer.getvalue()


def half(*numbers: float) -> Any:
    return np.array(numbers, np.float16)


def columns(*numbers: int) -> Any:
    return np.array(numbers, np.int32)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 no archive",
        pack(head())[:-40],
        stored(columns(2, 1), half(1, 1)),
        stored(columns(1, 1), half(1, 1)),
        stored(columns(-1), half(1)),
        stored(columns(0, 2147483647, -5, 5), half(1, 1, 1, 1)),
        stored(columns(COLUMNS), half(1)),
        stored(columns(1, 2), half(1)),
        stored(columns(), half()),
        stored(columns(1), half(float("nan"))),
        stored(np.array([1], np.int64), half(1)),
        stored(columns(*range(1 << 16)), half(*[1] * (1 << 16))),
        stored(np.array([{}], dtype=object), half(1)),
        b"\0" * (3 << 20),
    ],
)
def test_a_file_that_is_no_head_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"is no head|is larger than any head"):
        unpack(content)


def test_whatever_is_wrong_with_a_file_is_said_in_one_way() -> None:
    content = pack(head())
    chance, refused = Random(7), 0  # noqa: S311 - a fuzz that repeats itself
    for _ in range(1500):
        damaged = bytearray(content)
        for _ in range(chance.choice([1, 1, 3])):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        try:
            unpack(bytes(damaged))
        except ValueError:
            refused += 1
    assert refused > 500
