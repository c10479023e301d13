"""The transformer while it is trained: a small BERT. The mean of what it makes of a text's tokens, seen from the middle
of all texts, is the text's vector, and tells attacks: of users by one head, of tools by another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from detectors.models.tokens import ORIGINS
from detectors.models.training.base import Base

LAYERS: Final = 8  # those nearest to the words, of the base's twelve
WIDTH: Final = 384
HEADS: Final = 12
HEAD: Final = WIDTH // HEADS
INNER: Final = 1536
PLACES: Final = 128
KINDS: Final = 4  # detectors.models.classifier_model.KINDS
DROPOUT: Final = 0.1
LEAST_SPREAD: Final = 1e-3
FIRST_ORIGIN: Final = min(ORIGINS.values())  # the second number of every window says who wrote it


class Layer(nn.Module):  # type: ignore[misc]  # of a library that may be absent
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.attended, self.done = (nn.LayerNorm(WIDTH, eps=1e-12) for _ in range(2))
        self.wide, self.narrow = nn.Linear(WIDTH, INNER), nn.Linear(INNER, WIDTH)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        query, key, value = (_split(part(states)) for part in (self.query, self.key, self.value))
        # Written out, because the backward pass of torch's own attention takes half of a step on a processor.
        seen = functional.softmax(query @ key.transpose(2, 3) * HEAD**-0.5 + mask, dim=-1) @ value
        states = self.attended(states + self.dropout(self.out(seen.transpose(1, 2).flatten(2))))
        done: Tensor = self.done(states + self.dropout(self.narrow(functional.gelu(self.wide(states)))))
        return done


def _split(states: Tensor) -> Tensor:
    return states.unflatten(2, (HEADS, HEAD)).transpose(1, 2)


class Network(nn.Module):  # type: ignore[misc]  # likewise
    """Reads token numbers (batch, length), padded with 0."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(vocabulary, WIDTH), nn.Embedding(PLACES, WIDTH)
        self.start = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        # As they come, all means lie in one direction, and differ by little in most of their numbers.
        self.register_buffer("middle", torch.zeros(WIDTH))
        self.register_buffer("spread", torch.ones(WIDTH))
        self.attack, self.kinds = nn.Linear(WIDTH, len(ORIGINS)), nn.Linear(WIDTH, KINDS)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return log odds of an attack (batch), of each kind (batch, KINDS), and unit vectors (batch, WIDTH)."""
        vectors = self.means(numbers) - self.middle
        read = self.dropout(vectors / self.spread)
        odds = self.attack(read).gather(1, numbers[:, 1:2] - FIRST_ORIGIN)
        return odds.squeeze(1), self.kinds(read), functional.normalize(vectors, dim=1)

    def means(self, numbers: Tensor) -> Tensor:
        """Return the mean of the last states of each text's tokens (batch, WIDTH)."""
        there = (numbers != 0).to(torch.float32)
        mask = ((1 - there) * -1e4)[:, None, None, :]
        states = self.start(self.words(numbers) + self.places.weight[: numbers.shape[1]])
        states = self.dropout(states)
        for layer in self.layers:
            states = layer(states, mask.to(states.dtype))
        means: Tensor = (states.float() * there[:, :, None]).sum(1) / there.sum(1, keepdim=True)
        return means

    def centre(self, means: Tensor) -> None:
        """Take the middle and the spread of the means of some texts (count, WIDTH) for those of all."""
        self.middle.copy_(means.mean(0))
        self.spread.copy_(means.std(0).clamp_min(LEAST_SPREAD))


_NAMES: Final = {
    "q": "query", "k": "key", "v": "value", "ao": "out", "aln": "attended", "fi": "wide", "fo": "narrow", "oln": "done",
}  # fmt: skip


def from_base(base: Base, numbers: Sequence[int]) -> Network:
    """Return a network with the base's first layers that knows those of its pieces."""
    network = Network(len(numbers))
    state = network.state_dict()
    given = {name: torch.from_numpy(array) for name, array in base.weights.items()}
    state["words.weight"] = given["emb.word"][list(numbers)]
    # Every text is of one type: what that type adds is the same at every place.
    state["places.weight"] = given["emb.pos"][:PLACES] + given["emb.type"][0]
    for ours, theirs in (("weight", "w"), ("bias", "b")):
        state[f"start.{ours}"] = given[f"emb.ln.{theirs}"]
        for number in range(LAYERS):
            for short, name in _NAMES.items():
                state[f"layers.{number}.{name}.{ours}"] = given[f"l{number}.{short}.{theirs}"]
    network.load_state_dict(state)
    return network


def narrow() -> torch.autocast:
    """Return in how many bits to multiply: without instructions of its own for sixteen, a processor takes ten times as
    long for them as for thirty-two.
    """
    return torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu.get_capabilities().get("avx512_bf16", False))
