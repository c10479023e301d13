"""Chat completions as Azure's clients ask for them: POST /openai/deployments/{deployment}/chat/completions.

Source: learn.microsoft.com/azure/ai-services/openai/reference. The request goes on to the plain path, where every
upstream of the dialect has it, so one policy means the same whichever way a client asks.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from proxy.codec import Codec, JsonObject, Target
from proxy.providers.openai_chat import OpenAiChat

_PATH: Final = re.compile(r"/deployments/([A-Za-z0-9._~@:-]{1,128})/chat/completions")


class OpenAiAzureChat(OpenAiChat):
    """The deployment is the model that was asked for; a body that names another one asks for both."""

    name = "openai_azure_chat"

    def claims(self, method: str, path: str) -> bool:
        return method == "POST" and _PATH.fullmatch(path) is not None

    def upstream_path(self, target: Target) -> str:
        return "/chat/completions"

    def read_body(self, target: Target, raw: bytes, content_type: str) -> JsonObject:
        deployment = _deployment(target)
        return ({"model": deployment} if deployment else {}) | super().read_body(target, raw, content_type)

    def models(self, target: Target, body: JsonObject) -> tuple[str, ...]:
        named, deployment = super().models(target, body), _deployment(target)
        return tuple(dict.fromkeys((*named, *([deployment] if deployment else []))))

    def with_model(self, target: Target, body: JsonObject, model: str) -> Target | None:
        path = f"/deployments/{model}/chat/completions"
        moved = replace(target, path=path) if _PATH.fullmatch(path) else None
        return None if moved is None else super().with_model(moved, body, model)


def _deployment(target: Target) -> str:
    match = _PATH.fullmatch(target.path)
    return "" if match is None else match.group(1)


CODEC: Final[Codec] = OpenAiAzureChat()
