"""Who looks in which order: the detectors of one stage, what their memory depends on, and which texts they are for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from detectors.runs import account
from detectors.selective import Occasional, TakesPart, Wants, reads_of, wants_of
from detectors.types import Detector, DetectorRun, InspectionContext, RunStatus, Segment, Stage

Reads = Callable[[Segment, InspectionContext], bool]


@dataclass(frozen=True, slots=True)
class Plan:
    """One step of the chain: those whose hits may be remembered, and those that must look each time (with the account
    of one that has nothing to read).

    `tag` is what all that is remembered depends on beside the text. A `gated` step is asked only about texts whose
    local answer is undecided: `wants` says so for its detector, the caller's gate for the policy. Of an inspection that
    it does not take part in, it has no account.
    """

    stage: Stage
    required: bool
    remembered: tuple[Detector, ...]
    fresh: tuple[tuple[Detector, Reads, DetectorRun], ...]
    tag: bytes
    recalled: tuple[DetectorRun, ...]  # the account of those that are remembered when all is known
    gated: bool
    wants: Wants | None
    takes_part: TakesPart | None

    @property
    def members(self) -> tuple[Detector, ...]:
        return (*self.remembered, *(detector for detector, _, _ in self.fresh))


def plans_of(detectors: Sequence[Detector]) -> tuple[Plan, ...]:
    """Return the steps by cost. Detectors of a cheap stage look together; each expensive one is a step of its own, so
    that each is remembered for just those texts that it was asked about.
    """
    steps: list[list[Detector]] = []
    for stage in sorted({detector.stage for detector in detectors}):
        members = [detector for detector in detectors if detector.stage is stage]
        steps += [[detector] for detector in members] if stage.expensive else [members]
    return tuple(_plan(members) for members in steps)


def _plan(members: Sequence[Detector]) -> Plan:
    stage, required = members[0].stage, any(d.required for d in members)
    remembered = tuple(d for d in members if d.cacheable)
    gated = stage.expensive and not required
    salt = "\0".join(["2", str(stage), *sorted(f"{d.name}={d.revision}" for d in remembered)])
    return Plan(
        stage=stage,
        required=required,
        remembered=remembered,
        fresh=tuple((d, reads_of(d), account(d, RunStatus.OK, (), 0.0)) for d in members if not d.cacheable),
        tag=hashlib.blake2b(salt.encode(), digest_size=16).digest(),
        recalled=tuple(account(d, RunStatus.OK, (), 0.0) for d in remembered),
        gated=gated,
        wants=wants_of(members[0]) if gated else None,
        takes_part=members[0].takes_part if gated and isinstance(members[0], Occasional) else None,
    )
