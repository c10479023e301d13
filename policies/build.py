"""The actions that the plug-in folder offers."""

from __future__ import annotations

import policies.actions
from detectors.discovery import discover
from policies.engine import Actions
from policies.types import Action


def build_actions() -> Actions:
    offers = discover(policies.actions, "ACTION", Action)  # type: ignore[type-abstract]
    return {action.name: action for action in offers}
