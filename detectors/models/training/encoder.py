"""A small BERT encoder in torch, begun from MiniLM's weights, with one head for each question we ask."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

# sentence-transformers/all-MiniLM-L6-v2 at revision 1110a243, Apache-2.0.
START_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WIDTH: Final = 384
HEADS: Final = 12
HEAD_NAMES: Final = ("attack", "harmful_request")
PADDING: Final = 0


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.output, self.attention_norm = nn.Linear(WIDTH, WIDTH), nn.LayerNorm(WIDTH, eps=1e-12)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        batch, length, _ = x.shape
        query, key, value = (
            part(x).view(batch, length, HEADS, WIDTH // HEADS).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        weights = (query @ key.transpose(-1, -2) / (WIDTH // HEADS) ** 0.5 + mask).softmax(-1)
        mixed = (weights @ value).transpose(1, 2).reshape(batch, length, WIDTH)
        x = self.attention_norm(x + self.dropout(self.output(mixed)))
        return self.norm(x + self.dropout(self.down(nn.functional.gelu(self.up(x)))))


class Encoder(nn.Module):
    """Token ids (batch, length), padded with 0, to log odds (batch, heads) and a vector of length 1 (batch, WIDTH)."""

    def __init__(self, layers: int, vocabulary: int = 30522, positions: int = 512) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, WIDTH)
        self.positions = nn.Embedding(positions, WIDTH)
        self.kind = nn.Parameter(torch.zeros(WIDTH))
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layers = nn.ModuleList(Layer() for _ in range(layers))
        self.heads = nn.Linear(WIDTH, len(HEAD_NAMES))

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        seen = (ids != PADDING).float()
        return self.above(self.below(ids, seen, 0), seen, 0)

    def below(self, ids: Tensor, seen: Tensor, layers: int) -> Tensor:
        """Return what the embeddings and the first `layers` layers make of the tokens."""
        x: Tensor = self.norm(self.words(ids) + self.positions(torch.arange(ids.shape[1])) + self.kind)
        for layer in self.layers[:layers]:
            x = layer(x, _mask(seen))
        return x

    def above(self, x: Tensor, seen: Tensor, layers: int) -> tuple[Tensor, Tensor]:
        """Return what is made of that by the layers after the first `layers`, and by the heads."""
        for layer in self.layers[layers:]:
            x = layer(x, _mask(seen))
        pooled = (x * seen[..., None]).sum(1) / seen.sum(1, keepdim=True)
        return self.heads(pooled), nn.functional.normalize(pooled, dim=1)


def _mask(seen: Tensor) -> Tensor:
    return (1 - seen)[:, None, None, :] * -1e4


def begin(weights: Path, layers: int) -> Encoder:
    """Return an encoder that begins with the first `layers` layers of MiniLM. Raises ValueError for another file."""
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    if digest != START_SHA256:
        raise ValueError(f"{weights.name}: sha256 {digest} is not that of the weights to begin with")
    known = load_file(weights)
    encoder = Encoder(layers)
    names = {
        "words.weight": "embeddings.word_embeddings.weight",
        "positions.weight": "embeddings.position_embeddings.weight",
        "norm.weight": "embeddings.LayerNorm.weight",
        "norm.bias": "embeddings.LayerNorm.bias",
    }
    parts = {
        "query": "attention.self.query",
        "key": "attention.self.key",
        "value": "attention.self.value",
        "output": "attention.output.dense",
        "attention_norm": "attention.output.LayerNorm",
        "up": "intermediate.dense",
        "down": "output.dense",
        "norm": "output.LayerNorm",
    }
    for number in range(layers):
        for ours, theirs in parts.items():
            for leaf in ("weight", "bias"):
                names[f"layers.{number}.{ours}.{leaf}"] = f"encoder.layer.{number}.{theirs}.{leaf}"
    state = {ours: known[theirs] for ours, theirs in names.items()}
    state["kind"] = known["embeddings.token_type_embeddings.weight"][0]
    encoder.load_state_dict(state, strict=False)
    return encoder
