"""Who looks in which order: the detectors of one stage, what their memory depends on, and which texts they are for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from detectors.runs import account
from detectors.selective import EitherWay, Occasional, TakesPart, Wants, reads_of, wants_of
from detectors.types import Detector, DetectorRun, Direction, InspectionContext, RunStatus, Segment, Stage

Reads = Callable[[Segment, InspectionContext], bool]


@dataclass(frozen=True, slots=True)
class Plan:
    """One step of the chain: those whose hits may be remembered, and those that must look each time (with the account
    of one that has nothing to read).

    A `gated` step is asked only about texts whose local answer is undecided: `wants` says so for its detector, the
    caller's gate for the policy. Of an inspection that it does not take part in, it has no account.
    """

    stage: Stage
    required: bool
    remembered: tuple[Detector, ...]
    fresh: tuple[tuple[Detector, Reads, DetectorRun], ...]
    recalled: tuple[DetectorRun, ...]  # the account of those that are remembered when all is known
    gated: bool
    wants: Wants | None
    takes_part: TakesPart | None
    _marks: tuple[bytes, bytes]

    @property
    def members(self) -> tuple[Detector, ...]:
        return (*self.remembered, *(detector for detector, _, _ in self.fresh))

    def marks(self) -> tuple[bytes, bytes]:
        """Return what all that is remembered depends on beside the text, for requests and for answers: one and the same
        where no detector asks which it is, so that an answer is known when it comes back as history.
        """
        # Who is asked over the network is exchanged while we run, and then has another revision.
        return _marks(self.stage, self.remembered) if self.gated else self._marks


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
    return Plan(
        stage=stage,
        required=required,
        remembered=remembered,
        fresh=tuple((d, reads_of(d), account(d, RunStatus.OK, (), 0.0)) for d in members if not d.cacheable),
        recalled=tuple(account(d, RunStatus.OK, (), 0.0) for d in remembered),
        gated=gated,
        wants=wants_of(members[0]) if gated else None,
        takes_part=members[0].takes_part if gated and isinstance(members[0], Occasional) else None,
        _marks=_marks(stage, remembered),
    )


def _marks(stage: Stage, remembered: Sequence[Detector]) -> tuple[bytes, bytes]:
    salt = "\0".join(["2", str(stage), *sorted(f"{d.name}={d.revision}" for d in remembered)])
    if all(isinstance(detector, EitherWay) for detector in remembered):
        mark = blake2b(salt.encode(), digest_size=16).digest()
        return mark, mark
    asked, answered = (blake2b(f"{salt}\0{way}".encode(), digest_size=16).digest() for way in Direction)
    return asked, answered
