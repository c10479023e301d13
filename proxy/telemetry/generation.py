"""What one answer of a provider was, in the words of OpenTelemetry's conventions for generative AI."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache
from typing import Final, NamedTuple

from proxy.telemetry.metric_names import OTHER

Labels = tuple[str, ...]
# Well-known values of `gen_ai.provider.name` and `gen_ai.operation.name`, by the two parts of a codec's name.
_PROVIDERS: Final = {"openai": "openai", "anthropic": "anthropic", "gemini": "gcp.gemini"}
_OPERATIONS: Final = {
    "chat": "chat", "azure_chat": "chat", "messages": "chat", "responses": "chat", "completions": "text_completion",
    "embeddings": "embeddings", "embed": "embeddings", "generate": "generate_content",
}  # fmt: skip
# A client writes the model's name: only what can be one becomes a label, and never a sentence.
_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,63}")


class Generation(NamedTuple):
    """`labels` are operation, provider, model; seconds until the first piece (0: no stream) and until the end."""

    labels: Labels
    seconds: float
    first: float
    prompt_tokens: int | None
    completion_tokens: int | None

    def observe(self, into: defaultdict[tuple[str, Labels], list[float]]) -> None:
        """Add this answer to the four histograms of the conventions."""
        labels = self.labels
        into["gen_ai_server_request_duration_seconds", labels].append(self.seconds)
        if self.prompt_tokens is not None:
            into["gen_ai_client_token_usage", (*labels, "input")].append(self.prompt_tokens)
        if self.completion_tokens is not None:
            into["gen_ai_client_token_usage", (*labels, "output")].append(self.completion_tokens)
        if self.first:
            into["gen_ai_server_time_to_first_token_seconds", labels].append(self.first)
            if self.completion_tokens is not None and self.completion_tokens > 1:
                between = (self.seconds - self.first) / (self.completion_tokens - 1)
                into["gen_ai_server_time_per_output_token_seconds", labels].append(between)


@lru_cache(maxsize=1024)
def gen_ai_labels(codec: str, model: str) -> Labels:
    """Return operation, provider and model of what the codec called `codec` reads, each from a bounded set."""
    dialect, _, rest = codec.partition("_")
    return _OPERATIONS.get(rest, rest or OTHER), _PROVIDERS.get(dialect, OTHER), shown_model(model)


def shown_model(model: str) -> str:
    """Return a model's name as it may stand in a label or a span."""
    return model if _MODEL.fullmatch(model) else OTHER
