"""Heads while the server runs: each for its tenant alone, and a bad one leaves what was in force."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

from detectors.lexicon import KeywordList, Lexicon
from detectors.models.tenant_head import TenantHead, Weights, head_of, pack
from detectors.types import Origin
from proxy.additions.head_files import HeadFiles
from proxy.additions.tenant_heads import TenantHeads

POLICY = Lexicon(keywords=(KeywordList("house", ("blue folder",)),))


def content(column: int = 1, made_for: str = "w1") -> bytes:
    weights = Weights(np.array([column], np.int32), np.array([1], np.float16))
    return pack(head_of({Origin.USER: weights}, made_for, {}))


@pytest.fixture
def files(tmp_path: Path) -> HeadFiles:
    return HeadFiles(tmp_path / "heads")


async def test_a_head_is_for_its_tenant_alone(files: HeadFiles) -> None:
    heads = TenantHeads(files, "w1")
    files.keep(7, content())
    report = await heads.reload()
    assert list(report.loaded) == [7]
    assert heads.lexicon(POLICY, 7).head is not None
    assert heads.lexicon(POLICY, 8) is POLICY
    assert heads.lexicon(POLICY, None) is POLICY
    assert heads.lexicon(POLICY, 7).revision != POLICY.revision
    assert heads.lexicon(POLICY, 7).matcher is POLICY.matcher


async def test_a_lexicon_is_put_together_once(files: HeadFiles) -> None:
    files.keep(7, content())
    heads = TenantHeads(files, "w1")
    heads.look()
    assert heads.lexicon(POLICY, 7) is heads.lexicon(POLICY, 7)


async def test_a_newer_version_takes_over_and_a_revoked_one_goes(files: HeadFiles) -> None:
    heads = TenantHeads(files, "w1")
    files.keep(7, content(1))
    heads.look()
    first = heads.lexicon(POLICY, 7).revision
    files.keep(7, content(2))
    heads.look()
    assert heads.lexicon(POLICY, 7).revision != first
    files.revoke(7, 2)
    heads.look()
    assert heads.lexicon(POLICY, 7).revision == first
    files.revoke(7, 1)
    assert heads.look().loaded == {7: "none"}
    assert heads.lexicon(POLICY, 7) is POLICY


@pytest.mark.parametrize(("bad", "why"), [(b"x", "is no head"), (content(made_for="w0"), "other weights")])
async def test_behind_a_bad_head_stands_the_one_before(files: HeadFiles, bad: bytes, why: str) -> None:
    heads = TenantHeads(files, "w1")
    files.keep(7, content())
    heads.look()
    good = heads.lexicon(POLICY, 7).revision
    files.keep(7, bad)
    assert why in heads.look().failures[7]
    assert heads.lexicon(POLICY, 7).revision == good
    assert heads.look().failures == {}, "said once"
    assert 7 in heads.failures, "but known for as long as it lasts"
    files.revoke(7, 2)
    heads.look()
    assert heads.failures == {}


async def test_a_revoked_head_goes_though_none_before_it_can_be_used(files: HeadFiles) -> None:
    heads, others = TenantHeads(files, "w1"), TenantHeads(files, "w1")
    files.keep(7, content(made_for="w0"))
    files.keep(7, content())
    heads.look()
    assert heads.lexicon(POLICY, 7).head is not None
    files.revoke(7, 2)
    heads.look()
    others.look()
    assert heads.lexicon(POLICY, 7) is POLICY
    assert others.lexicon(POLICY, 7) is POLICY, "and all workers agree"


async def test_a_bad_head_at_the_start_stops_nobody(files: HeadFiles) -> None:
    files.keep(7, b"x")
    files.keep(8, content())
    heads = TenantHeads(files, "w1")
    heads.look()
    assert heads.lexicon(POLICY, 7) is POLICY
    assert heads.lexicon(POLICY, 8).head is not None


async def test_what_could_not_be_read_is_tried_again(files: HeadFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    files.keep(7, content())
    heads = TenantHeads(files, "w1")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", _no_more_files)
        assert heads.look().failures == {7: "1.npz: Too many open files"}
    assert heads.look().failures == {}
    assert heads.lexicon(POLICY, 7).head is not None


def _no_more_files(_: Path) -> bytes:
    raise OSError(errno.EMFILE, "Too many open files")


async def test_a_folder_that_is_none_is_told_and_changes_nothing(files: HeadFiles, tmp_path: Path) -> None:
    files.keep(7, content())
    heads = TenantHeads(files, "w1")
    heads.look()
    (tmp_path / "heads").rename(tmp_path / "away")
    (tmp_path / "heads").write_text("x")
    assert list(heads.look().failures) == [0]
    assert heads.lexicon(POLICY, 7).head is not None


async def test_what_is_put_together_during_a_swap_is_not_kept(files: HeadFiles) -> None:
    heads = TenantHeads(files, "w1")
    files.keep(7, content(1))
    heads.look()
    files.keep(7, content(2))

    class Swapping(Lexicon):
        def with_head(self, head: TenantHead) -> Lexicon:
            heads.look()  # another thread's, at the worst moment
            return super().with_head(head)

    first = heads.lexicon(Swapping(), 7)
    assert heads.lexicon(Swapping(), 7).revision != first.revision
