"""Train the transformer: what is an attack, of which kind, and a vector that stays where the base has it."""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from detectors.models.tokens import FIRST, UNKNOWN
from detectors.models.training.encoder_rows import Sample, batches, padded
from detectors.models.training.fit_heads import fit_heads, means_of
from detectors.models.training.network import Network, narrow

RATE: Final = 1.5e-4
DEEPER: Final = 0.85  # of the rate, for each layer further down
TOKENS: Final = 3072  # of a batch
WARM: Final = 0.06  # of all steps
DROPPED: Final = 0.08  # of the words of a window are hidden from the network, so that it does not rely on one
VECTOR: Final = 1.0  # how much it costs that a text's vector is not where the base has it
COMPARED: Final = 0.25  # of the windows of a batch are read by the base, too
MIDDLE: Final = 2048  # windows by which the middle of all is known
KIND: Final = 0.2
BACK: Final = 0.25  # of the way to where training began
REACHED: Final = "course.pt"
SAVE_EVERY: Final = 50  # steps
STEADY: Final = 0.995  # of the running mean of the weights, which is what is kept
# Which share of texts an epoch reads: by users and by tools, each of hard and of easy ones.
SHARES: Final = (((1.0, 0.35), (1.0, 0.35)), ((1.0, 0.15), (1.0, 0.15)))


@dataclass(frozen=True, slots=True)
class Course:
    """How long to train, from which seed, and where to keep what was reached."""

    epochs: int
    seed: int
    folder: Path
    threads: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))


def fit(network: Network, rows: Sequence[Sample], course: Course) -> Network:
    """Train a network whose vectors stay near to where they are now. Goes on where it was interrupted.

    The vectors of words stay as they are: so does what a word has to do with those of other languages.
    """
    torch.manual_seed(course.seed)
    torch.set_num_threads(course.threads)
    _centre(network, rows)
    guide = copy.deepcopy(network).eval().requires_grad_(False)
    network.words.requires_grad_(False)
    plan = _plan(rows, course)
    optimiser = torch.optim.AdamW(_groups(network), weight_decay=0.01, fused=True)
    mean = {name: value.detach().clone() for name, value in network.state_dict().items()}
    done = _resumed(course.folder, network, optimiser, mean)
    started, losses = time.monotonic(), []
    network.train()
    for step in range(done, len(plan)):
        for group in optimiser.param_groups:
            group["lr"] = group["top"] * _share(step, len(plan))
        losses.append(_step(network, [rows[number] for number in plan[step]], guide))
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        steady = min(STEADY, (step + 1) / (step + 10))
        torch._foreach_lerp_(list(mean.values()), list(network.state_dict().values()), 1 - steady)
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == len(plan):
            _save(course.folder, network, optimiser, mean, step + 1)
            took = time.monotonic() - started
            left = took / (step + 1 - done) * (len(plan) - step - 1)
            print(
                f"step {step + 1} of {len(plan)}: loss {np.mean(losses):.4f}, {took:.0f} s, {left:.0f} s left",
                flush=True,
            )
            losses.clear()
    # A part of the way back, it still knows what it has learned, and again what training on few kinds of texts lets it
    # forget (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
    for name, before in guide.state_dict().items():
        mean[name].lerp_(before, BACK)
    network.load_state_dict(mean)
    _centre(network, rows)
    fit_heads(network, rows, course.seed)
    return network


def _centre(network: Network, rows: Sequence[Sample]) -> None:
    """Look at some texts' vectors from their middle, as far as each number of them differs from text to text."""
    network.eval()
    network.centre(means_of(network, [row.windows[0] for row in rows[:: max(len(rows) // MIDDLE, 1)]]))


def _plan(rows: Sequence[Sample], course: Course) -> list[list[int]]:
    chance = np.random.default_rng(course.seed)
    plan: list[list[int]] = []
    for epoch in range(course.epochs):
        shares = SHARES[min(epoch, len(SHARES) - 1)]
        chosen = [n for n, row in enumerate(rows) if chance.random() < shares[row.by_tool][row.easy]]
        plan += [[chosen[n] for n in batch] for batch in batches([rows[n] for n in chosen], TOKENS, chance)]
    return plan


def _groups(network: Network) -> list[dict[str, object]]:
    """Return the weights with their rates: what lies deeper says more of language than of attacks."""
    depth = len(network.layers)
    groups = [{"params": [*network.places.parameters(), *network.start.parameters()],
               "top": RATE * DEEPER ** (depth + 1)}]  # fmt: skip
    for number, layer in enumerate(network.layers):
        groups.append({"params": list(layer.parameters()), "top": RATE * DEEPER ** (depth - 1 - number)})
    groups.append({"params": [*network.attack.parameters(), *network.kinds.parameters()], "top": RATE * 5})
    return [{**group, "lr": 0.0} for group in groups]


def _share(step: int, steps: int) -> float:
    warm = max(int(steps * WARM), 1)
    return (
        (step + 1) / warm
        if step < warm
        else 0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * (step - warm) / max(steps - warm, 1)))
    )


def _step(network: Network, rows: Sequence[Sample], guide: Network) -> float:
    windows = [window for row in rows for window in row.windows]
    numbers = torch.from_numpy(padded(windows))
    hidden = (torch.rand(numbers.shape) < DROPPED) & (numbers >= FIRST)
    owner = torch.tensor([n for n, row in enumerate(rows) for _ in row.windows])
    with narrow():
        odds, kinds, vectors = network(numbers.masked_fill(hidden, UNKNOWN))
    # A text is an attack if one of its windows is.
    most = torch.full((len(rows),), -1e4).scatter_reduce(0, owner, odds.float(), "amax")
    label = torch.tensor([float(row.attack) for row in rows])
    say = torch.tensor([row.say for row in rows])
    smooth = label * 0.96 + 0.02
    loss = (functional.binary_cross_entropy_with_logits(most, smooth, reduction="none") * say).sum() / say.sum()
    kind = torch.tensor([row.kind for row in rows])[owner]
    if bool((kind >= 0).any()):
        loss = loss + KIND * functional.cross_entropy(kinds.float()[kind >= 0], kind[kind >= 0])
    compared = torch.rand(len(windows)) < COMPARED
    if bool(compared.any()):
        with torch.no_grad(), narrow():
            before = guide(numbers[compared])[2]
        loss = loss + VECTOR * (1 - (vectors[compared] * before).sum(1)).mean()
    loss.backward()
    return float(loss.detach())


def _save(folder: Path, network: Network, optimiser: torch.optim.Optimizer, mean: dict[str, Tensor], step: int) -> None:
    state = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "mean": mean, "step": step}
    torch.save(state, folder / f"{REACHED}.new")
    (folder / f"{REACHED}.new").replace(folder / REACHED)


def _resumed(folder: Path, network: Network, optimiser: torch.optim.Optimizer, mean: dict[str, Tensor]) -> int:
    file = folder / REACHED
    if not file.exists():
        return 0
    state = torch.load(file, weights_only=True)
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    mean.update(state["mean"])
    print(f"going on after step {state['step']}")
    return int(state["step"])
