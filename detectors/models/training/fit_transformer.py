"""Fine-tune the encoder's upper layers on the windows that the linear model ranks first."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from detectors.models.training.encoder import PADDING, Encoder, begin

LAYERS: Final = 4
FROZEN: Final = 2  # the first layers, whose work is much the same for any task: done once, not in every epoch
LONGEST: Final = 64  # tokens of a window that are trained on; the model reads up to 128
TOKENS_A_BATCH: Final = 2048
RATE: Final = 2e-4
HEAD_RATE: Final = 1e-3
WARM_UP: Final = 0.06
CHECKPOINT_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids of one window; `labels` answer the heads' questions (NaN: not asked); `say` is its weight."""

    ids: Sequence[int]
    labels: tuple[float, ...]
    say: float


@dataclass(frozen=True, slots=True)
class Batch:
    """What the frozen layers made of some examples (half precision), which tokens are seen, and what is to be said."""

    states: Tensor
    seen: Tensor
    labels: Tensor
    say: Tensor


class Stateful(Protocol):
    def state_dict(self) -> dict[str, object]: ...
    def load_state_dict(self, state_dict: dict[str, object]) -> object: ...


def batches(examples: Sequence[Example], encoder: Encoder) -> list[Batch]:
    """Return the examples in batches of like length, through the frozen layers."""
    order = sorted(range(len(examples)), key=lambda number: len(examples[number].ids))
    groups: list[list[int]] = [[]]
    for number in order:
        longest = min(len(examples[number].ids), LONGEST)
        if groups[-1] and longest * (len(groups[-1]) + 1) > TOKENS_A_BATCH:
            groups.append([])
        groups[-1].append(number)
    with torch.no_grad():
        return [_batch([examples[number] for number in group], encoder) for group in groups]


def _batch(examples: Sequence[Example], encoder: Encoder) -> Batch:
    longest = min(max(len(example.ids) for example in examples), LONGEST)
    ids = torch.full((len(examples), longest), PADDING)
    for row, example in enumerate(examples):
        kept = example.ids[:longest]
        ids[row, : len(kept)] = torch.tensor(kept)
    seen = (ids != PADDING).float()
    states = encoder.below(ids, seen, FROZEN).half()
    return Batch(states, seen, torch.tensor([e.labels for e in examples]), torch.tensor([e.say for e in examples]))


def loss_of(odds: Tensor, labels: Tensor, say: Tensor) -> Tensor:
    asked = ~labels.isnan()
    loss = nn.functional.binary_cross_entropy_with_logits(odds, labels.nan_to_num(0.5), reduction="none")
    return (loss * asked * say[:, None]).sum() / say.sum()


def fit(examples: Sequence[Example], start: Path, checkpoint: Path, *, epochs: int, seed: int) -> Encoder:
    """Train, or go on from `checkpoint`; prints progress once a minute."""
    torch.manual_seed(seed)
    encoder = begin(start, LAYERS).eval()
    known = batches(examples, encoder)
    print(f"{len(examples)} windows in {len(known)} batches", flush=True)
    trained = [*encoder.layers[FROZEN:].parameters()]
    optimiser = torch.optim.AdamW(
        [{"params": trained, "lr": RATE}, {"params": encoder.heads.parameters(), "lr": HEAD_RATE}], weight_decay=0.01
    )
    shuffler = np.random.default_rng(seed)
    plan = [int(number) for _ in range(epochs) for number in shuffler.permutation(len(known))]
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step / len(plan)))
    done = _resume(checkpoint, encoder, optimiser, scheduler)
    encoder.train()
    saved = started = time.monotonic()
    losses: list[float] = []
    for step, number in enumerate(plan[done:], start=done + 1):
        batch = known[number]
        odds, _ = encoder.above(batch.states.float(), batch.seen, FROZEN)
        loss = loss_of(odds, batch.labels, batch.say)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        scheduler.step()
        losses.append(loss.item())
        if time.monotonic() - saved > CHECKPOINT_SECONDS or step == len(plan):
            saved = time.monotonic()
            _save(checkpoint, step, encoder, optimiser, scheduler)
            left = (saved - started) / (step - done) * (len(plan) - step)
            print(f"step {step} of {len(plan)}, loss {np.mean(losses):.3f}, {left / 60:.0f} min left", flush=True)
            losses.clear()
    return encoder.eval()


def _rate(share: float) -> float:
    return share / WARM_UP if share < WARM_UP else max(0.0, (1 - share) / (1 - WARM_UP))


def _save(file: Path, step: int, *parts: Stateful) -> None:
    beside = file.with_suffix(".new")
    torch.save({"step": step, "parts": [part.state_dict() for part in parts]}, beside)
    beside.replace(file)


def _resume(file: Path, *parts: Stateful) -> int:
    if not file.exists():
        return 0
    known = torch.load(file, weights_only=True)
    for part, state in zip(parts, known["parts"], strict=True):
        part.load_state_dict(state)
    return int(known["step"])
