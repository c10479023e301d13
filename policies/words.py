"""What policies choose from: the closed lists of the file and of verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class ActionName(StrEnum):
    """What a verdict says, lightest first. `allow` and `error` are results, the others what a rule may ask for."""

    ALLOW = "allow"
    FLAG = "flag"
    PSEUDONYMISE = "pseudonymise"
    MASK = "mask"
    BLOCK = "block"
    ERROR = "error"

    @property
    def weight(self) -> int:
        return _WEIGHTS[self]


_WEIGHTS: Mapping[ActionName, int] = {name: weight for weight, name in enumerate(ActionName)}


class Mode(StrEnum):
    ENFORCE = "enforce"
    MONITOR = "monitor"
    OFF = "off"


class FailureMode(StrEnum):
    CLOSED = "closed"
    OPEN = "open"


class Disclose(StrEnum):
    """How much a block tells the caller."""

    ID = "id"
    CATEGORY = "category"
    FULL = "full"


class BlockAs(StrEnum):
    """How a blocked answer is delivered; a blocked request is always a 400."""

    ERROR = "error"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"


class References(StrEnum):
    """Which objects at a provider a request may lean on: those that its tenant made through here, or any."""

    KNOWN = "known"
    ANY = "any"


class Credentials(StrEnum):
    """Whose credential goes upstream: ours for the upstream, or the one the client sent beside our key."""

    UPSTREAM = "upstream"
    CLIENT = "client"


class AuditLevel(StrEnum):
    REQUIRED = "required"
    BEST_EFFORT = "best_effort"


class StoredForm(StrEnum):
    """What is kept of bodies: nothing, keyed hashes, or encrypted: with every finding masked, or whole."""

    NONE = "none"
    HASH = "hash"
    MASKED = "masked"
    ENCRYPTED = "encrypted"
