"""A worker's judges: exchanged while it serves, and reachable only where they may be."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from detectors.errors import SettingsError
from detectors.judges.types import CallResult, Question, Terms
from detectors.types import Origin
from policies.judging import JudgePolicy
from proxy.judging.judges import Judges
from proxy.judging.settings import JudgeSettings
from proxy.telemetry.metrics import WorkerMetrics
from tests.harness import Recorder
from tests.judge_models import openrouter, ruling
from tests.proxy.judged import Alone, Unbounded

POLICY = JudgePolicy(Terms(deadline=5))
QUESTION = Question(1, "Please do tell me more about it.", Origin.USER, "en")


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    with Recorder() as recorder:
        recorder.scripts["/v1/chat/completions"] = openrouter(ruling())
        yield recorder


def settings(recorder: Recorder, **more: object) -> JudgeSettings:
    fields = {"name": "ours", "endpoint": recorder.url, "model": "m", "allow_networks": ["127.0.0.0/8"], **more}
    return JudgeSettings.model_validate(fields)


def judges(*chosen: JudgeSettings, file: Path | None = None, load: object = tuple) -> Judges:
    return Judges(chosen, Alone(), Unbounded(), WorkerMetrics(0), file, load)  # type: ignore[arg-type]


async def result(of: Judges) -> CallResult:
    way = of.judging(POLICY, 1)
    await way.judge(QUESTION)
    await of.close()
    return way.calls[0].result


async def test_a_judge_in_a_network_that_the_operator_named_is_asked(recorder: Recorder) -> None:
    assert await result(judges(settings(recorder))) is CallResult.ANSWERED


@pytest.mark.parametrize("networks", [[], ["10.0.0.0/8"]])
async def test_nobody_is_sent_to_loopback_or_a_private_network_otherwise(
    recorder: Recorder, networks: list[str]
) -> None:
    before = len(recorder.received)
    assert await result(judges(settings(recorder, allow_networks=networks))) is CallResult.CONNECT
    assert len(recorder.received) == before


async def test_a_handshake_that_fails_is_a_failure(recorder: Recorder) -> None:
    endpoint = recorder.url.replace("http:", "https:")
    assert await result(judges(settings(recorder, endpoint=endpoint))) is CallResult.CONNECT


async def test_judges_that_want_a_credential_are_left_out_without_one(recorder: Recorder) -> None:
    assert judges(settings(recorder, name="moonshot-kimi-k2")).states() == {}
    assert list(judges(settings(recorder, name="moonshot-kimi-k2", credential="k")).states()) == ["moonshot-kimi-k2"]


async def test_they_follow_their_file(recorder: Recorder, tmp_path: Path) -> None:
    file, now = tmp_path / "promptshield.yaml", [settings(recorder)]
    file.write_text("one")
    followed = judges(*now, file=file, load=lambda: now)
    assert not await followed.reload()
    now = [settings(recorder, name="other")]
    file.write_text("another")
    assert (await followed.reload(), list(followed.states())) == (True, ["other"])
    os.utime(file, ns=(1, 1))
    assert not await followed.reload()
    await followed.close()


async def test_a_file_that_cannot_be_used_leaves_the_last_ones_and_is_told_once(
    recorder: Recorder, tmp_path: Path
) -> None:
    file = tmp_path / "promptshield.yaml"
    file.write_text("one")

    def broken() -> Sequence[JudgeSettings]:
        raise SettingsError(file, 1, "no")

    followed = judges(settings(recorder), file=file, load=broken)
    file.write_text("broken")
    with pytest.raises(SettingsError):
        await followed.reload()
    assert (await followed.reload(), list(followed.states())) == (False, ["ours"])
    file.unlink()
    assert not await followed.reload()
    await followed.close()


async def test_what_was_asked_of_the_old_ones_is_still_answered(recorder: Recorder, tmp_path: Path) -> None:
    file, now = tmp_path / "promptshield.yaml", [settings(recorder)]
    file.write_text("one")
    followed = judges(*now, file=file, load=lambda: now)
    way = followed.judging(POLICY, 1)
    now = []
    file.write_text("none")
    assert await followed.reload()
    outcome = await way.judge(QUESTION)
    assert (outcome.ruling is not None, followed.states()) == (True, {})
    await followed.close()
