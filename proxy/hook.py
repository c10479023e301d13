"""A guard hook: another gateway asks what we make of a text, in its own words, and acts on the verdict itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from policies.types import ActionName, Disclose, Edit, Verdict
from proxy.bodies.walk import Walk
from proxy.codec import Codec, Headers, JsonObject, Words

MOUNT: Final = "/hooks/"
_NEIGHBOUR: Final = re.compile(r"/+hooks/+([^/?]*)")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call is about: `walk` is judged, `document` is what it met and what edits are carried out on.

    `editable` holds the beginnings of the pointers whose texts the neighbour takes back: an edit anywhere else cannot
    be told to it, and stops. `places` says where the texts stand that it wants back in its own order.
    """

    document: JsonObject
    walk: Walk
    editable: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    model: str = ""

    def takes_back(self, edits: Iterable[Edit]) -> bool:
        """Tell whether the neighbour can carry out all of these."""
        return all(edit.pointer.startswith(self.editable) for edit in edits)


@dataclass(frozen=True, slots=True)
class Reply:
    """What is to be told: `asked` with the verdict's edits carried out, and one sentence on why it stops or edits."""

    asked: Asked
    verdict: Verdict
    decision_id: str
    reason: str
    disclose: Disclose

    @property
    def stops(self) -> bool:
        return self.verdict.effect.stop

    @property
    def edited(self) -> bool:
        return bool(self.verdict.effect.edits)

    @property
    def document(self) -> JsonObject:
        return self.asked.document

    def told(self) -> dict[str, float]:
        """Return the highest confidence by category of what the policy acts on, as far as it discloses that."""
        if self.disclose is Disclose.ID:
            return {}
        worst: dict[str, float] = {}
        for judged in self.verdict.judged:
            hit = judged.finding.hit
            if judged.action is not ActionName.ALLOW:
                worst[str(hit.category)] = max(worst.get(str(hit.category), 0.0), hit.confidence)
        return worst


@runtime_checkable
class Hook(Words, Protocol):
    """One neighbour's contract, below `/hooks/<name>`."""

    @property
    def name(self) -> str: ...
    @property
    def paths(self) -> tuple[str, ...]:
        """The neighbour's own paths, all of them POST."""

    def credential(self, headers: Headers) -> str | None:
        """Return the key where the neighbour can be told to put it."""

    def read(self, path: str, call: JsonObject, codecs: Sequence[Codec]) -> Asked:
        """Return what the call is about. Raises EdgeError 400 for whatever is not surely understood."""

    def answer(self, reply: Reply) -> JsonObject: ...
    def status(self, status: int) -> int:
        """Return the HTTP status of an error as the neighbour reads it: it must never take one for an allow."""


def choose_hook(hooks: Iterable[Hook], path: str) -> Hook | None:
    """Return whose contract a request speaks by its path as it came, whatever is wrong with the rest of it; None if
    nobody's. A neighbour may take the plain error for one of ours that it does not know, and go on.
    """
    found = _NEIGHBOUR.match(path)
    return None if found is None else next((hook for hook in hooks if hook.name == found[1]), None)


def spoken_status(words: Words | None, status: int) -> int:
    """Return the HTTP status of an error to whoever speaks like that."""
    return words.status(status) if isinstance(words, Hook) else status
