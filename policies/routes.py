"""Routes that a policy opens although no codec knows their shape, and the paths that no policy can open."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

ROUTE_PATH: Final = re.compile(
    r"/v1(?:alpha|beta)?(?:/[A-Za-z0-9][A-Za-z0-9_.-]{0,62}){1,6}(?:/\{[a-z][a-z0-9_]{0,31}\})?"
)
_OBJECT_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
# Words of a path as `_stem` writes them: no case, no punctuation, no plural.
_READ: Final = frozenset(
    ["audio", "chat", "completion", "deployment", "embedding", "image", "message", "model", "moderation", "response"]
)
# One account at the provider serves all tenants: these hold what others put there.
_SHARED: Final = frozenset(
    """
    agent assistant batch batche cachedcontent chatkit container conversation corpora corpu environment eval file
    filesearchstore finetune finetuning generatedfile generation interaction memorystore skill thread tunedmodel
    upload vault vectorstore video
    """.split()
)
# These hand out keys, open ways around the firewall, or administer the account.
_POWERFUL: Final = frozenset(
    """
    account admin apikey audit auditlog auth authkey authtoken billing budget certificate clientsecret config cost
    credential credit customer dashboard ephemeraltoken group invite key live login member oauth organization
    organisation permission policie policy project provider realtime role secret serviceaccount session setting spend
    team token usage user webhook workspace
    """.split()
)


@dataclass(frozen=True, slots=True)
class OpenRoute:
    """An opened route, by the path that clients ask for; it may end in one placeholder for an object's id."""

    path: str
    methods: frozenset[str]
    dialect: str

    @property
    def has_id(self) -> bool:
        return self.path.endswith("}")

    def object_made(self, made: object) -> str:
        """Return the path at which an object lives that a POST here answered with; empty where it made none."""
        possible = not self.has_id and isinstance(made, str) and _OBJECT_ID.fullmatch(made)
        return f"{self.path}/{made}" if possible else ""

    def object_id(self, path: str) -> str:
        """Return the id that stands in a path; empty where the route has none, or none that could be one."""
        before = self.path.partition("{")[0]
        id_ = path.removeprefix(before) if self.has_id and path.startswith(before) else ""
        return id_ if _OBJECT_ID.fullmatch(id_) else ""

    def opens(self, method: str, path: str) -> bool:
        return method in self.methods and (self.object_id(path) != "" if self.has_id else path == self.path)


def why_closed(path: str, methods: Collection[str]) -> str | None:
    """Return why no policy can open this route, None if one can."""
    if not ROUTE_PATH.fullmatch(path):
        hint = f" (did you mean '/v1{path}'?)" if ROUTE_PATH.fullmatch(f"/v1{path}") else ""
        return f"expected a path such as /v1/rerank or /v1/rankings/{{id}}{hint}"
    for word in path.partition("{")[0].strip("/").split("/")[1:]:
        for words, reason in (
            (_READ, "belongs to an API that is read in full, and what is not read of it stays closed"),
            (_SHARED, "holds what all tenants put at the provider, and stays closed"),
            (_POWERFUL, "is for keys, sessions or administration, and stays closed"),
        ):
            if _stem(word) in words:
                return f"'{word}' {reason}"
    if "GET" in methods and not path.endswith("}"):
        return "GET is for one object, as in /v1/rankings/{id}: a list would hold what other tenants have"
    return None


def _stem(word: str) -> str:
    return re.sub("[^a-z]", "", word.lower()).removesuffix("s")
