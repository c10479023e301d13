"""How an action, a severity or a state looks, always a colour, a shape and a word; and what forms say when done."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from markupsafe import Markup

from proxy.control.console.icons import icon
from proxy.control.console.visible import visible

_LOOKS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "allow": ("", "allow"), "flag": ("amber", "flag"), "mask": ("violet", "mask"),
        "pseudonymise": ("violet", "pseudonymise"), "block": ("red", "block"),
        "low": ("", "low"), "medium": ("amber", "medium"), "high": ("orange", "high"), "critical": ("red", "critical"),
        "active": ("green", "good"), "suspended": ("amber", "lock"), "deleted": ("red", "bad"),
        "disabled": ("", "lock"), "revoked": ("", "bad"), "expired": ("", "clock"), "ending": ("amber", "clock"),
        "open": ("amber", "warning"), "investigating": ("blue", "search"),
        "resolved": ("green", "good"),
        "released": ("green", "good"), "rejected": ("red", "block"), "kept": ("red", "block"),
        "in_force": ("green", "good"), "draft": ("blue", "policies"), "approved": ("blue", "good"),
        "half_open": ("amber", "warning"), "breaker_closed": ("green", "good"),
        "breaker_open": ("red", "bad"),
        "answered": ("", "good"), "blocked_request": ("red", "block"), "blocked_response": ("red", "block"),
        "upstream_error": ("orange", "warning"), "client_closed": ("", "none"), "interrupted": ("orange", "warning"),
        "internal_error": ("red", "bad"),
        "ok": ("green", "good"), "timeout": ("orange", "clock"), "error": ("red", "bad"),
        "unavailable": ("orange", "warning"), "skipped": ("", "none"), "passed": ("green", "good"),
        "failed": ("red", "bad"), "enforce": ("", "shield"), "monitor": ("blue", "reviews"), "off": ("amber", "none"),
        "dismissed": ("", "exclusions"),
        "denied": ("red", "lock"), "good": ("green", "good"),
    }
)  # fmt: skip
_SAID: Final[Mapping[str, str]] = MappingProxyType(
    {
        "saved": "Saved.", "created": "Created.", "deleted": "Deleted.", "restored": "Restored.",
        "suspended": "Suspended: none of its keys works until it is resumed.", "resumed": "Resumed.",
        "revoked": "Revoked. Every proxy refuses it within seconds.", "purging": "It is being removed for good.",
        "draft": "Saved as a draft. It is not in force yet.", "approved": "Approved.",
        "activated": "In force. Every proxy uses it within seconds.",
        "rolled-back": "The version before is in force again.",
        "released": "Released: it may pass from now on.", "kept": "Kept: the policy was right.",
        "disabled": "Disabled: no session and no token of it works any more.",
        "sessions-ended": "All its sessions have ended.",
        "factor-removed": "The second factor is removed.",
        "enabled": "Enabled.",
        "removed": "Removed. Every proxy refuses its tokens within seconds.",
        "reset": "Reset.",
    }
)  # fmt: skip


def mark(value: object, look: str = "") -> Markup:
    """Return a word with its shape and colour; `look` names another entry whose look it takes."""
    word = str(value)
    colour, shape = _LOOKS.get(look or word, ("", "none"))
    return Markup('<span class="mark{}">{}{}</span>').format(
        f" {colour}" if colour else "", icon(shape), visible(word.replace("_", " "))
    )


def said(word: str | None) -> str:
    """Return the sentence for what was done: of a closed list, so that no address can put words into our mouth."""
    return _SAID.get(word or "", "")
