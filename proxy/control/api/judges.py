"""Judges and breakers: who is asked, who is left alone."""

from __future__ import annotations

from typing import Final

from detectors.errors import StorageError
from proxy.control.access.types import Permission
from proxy.control.answers.judges import JudgeList, ShownBreaker, ShownJudge, State
from proxy.control.fields import Done
from proxy.control.operations import Call, Operation, not_found
from proxy.judging.settings import JudgeSettings
from storage.judge_breakers import JudgeBreakers

_ALL: Final = "/api/v1/judges"
_BREAKER: Final = "circuit_breaker_state"
_STATES: Final[dict[str, State]] = {"closed": "closed", "half_open": "half_open", "open": "open"}


async def _list(call: Call) -> JudgeList:
    known = await _is_there(call)
    judges = sorted(call.parts.settings.judges, key=lambda judge: judge.priority)
    items = [await _shown(call, judge, known=known) for judge in judges]
    names = {judge.name for judge in judges}
    said = [sample for sample in call.parts.sums.gauges() if sample.name == _BREAKER and sample.value]
    upstreams = [
        ShownBreaker(name=sample.labels[0], state=_STATES.get(sample.labels[1], "unknown"))
        for sample in said
        if sample.labels[0] not in names
    ]
    return JudgeList(items=items, upstreams=upstreams, next=None)


async def _reset(call: Call) -> Done:
    name = call.names["judge"]
    if name not in {judge.name for judge in call.parts.settings.judges}:
        raise not_found()
    await JudgeBreakers(call.parts.redis).reset(name)
    call.note(name, after={"breaker": "closed"})
    return Done()


async def _is_there(call: Call) -> bool:
    try:
        await call.parts.redis.ping()
    except StorageError:
        return False
    return True


async def _shown(call: Call, judge: JudgeSettings, *, known: bool) -> ShownJudge:
    seconds = await JudgeBreakers(call.parts.redis).seconds_open(judge.name) if known else 0.0
    state: State = "unknown" if not known else "open" if seconds > 0 else "closed"
    return ShownJudge(
        name=judge.name,
        model=judge.model,
        dialect=str(judge.dialect),
        # Where the operator's services are is nothing that a tenant needs to know.
        endpoint=judge.endpoint if call.principal.tenant_id is None else "",
        priority=judge.priority,
        usable=judge.usable,
        shadow=judge.shadow,
        price_in=judge.price.input,
        price_out=judge.price.output,
        timeout=judge.timeout,
        breaker=state,
        seconds_open=seconds,
    )


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "listJudges", "GET", _ALL, Permission.JUDGES_READ, "List judges in the order in which they are asked.",
        JudgeList, _list,
    ),
    Operation(
        "resetJudgeBreaker", "POST", f"{_ALL}/{{judge}}/reset", Permission.JUDGES_WRITE,
        "Have a judge asked again that was left alone.", Done, _reset, platform=True,
    ),
)  # fmt: skip
