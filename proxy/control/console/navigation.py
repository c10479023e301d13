"""The way around: which pages there are, in which order, and which of them somebody sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from proxy.control.access.types import Permission


@dataclass(frozen=True, slots=True)
class Place:
    name: str
    path: str
    icon: str
    needs: Permission


_GROUPS: Final[tuple[tuple[str, tuple[Place, ...]], ...]] = (
    (
        "Watch",
        (
            Place("Overview", "/console", "overview", Permission.DECISIONS_READ),
            Place("Decisions", "/console/decisions", "decisions", Permission.DECISIONS_READ),
            Place("Incidents", "/console/incidents", "incidents", Permission.INCIDENTS_READ),
            Place("Reviews", "/console/reviews", "reviews", Permission.REVIEWS_READ),
            Place("Usage and cost", "/console/usage", "usage", Permission.USAGE_READ),
            Place("Limits", "/console/limits", "limits", Permission.USAGE_READ),
        ),
    ),
    (
        "Decide",
        (
            Place("Policies", "/console/policies", "policies", Permission.POLICIES_READ),
            Place("Playground", "/console/playground", "playground", Permission.POLICIES_READ),
            Place("Exclusions", "/console/exclusions", "exclusions", Permission.EXCLUSIONS_READ),
            Place("Judges", "/console/judges", "judges", Permission.JUDGES_READ),
        ),
    ),
    (
        "Administer",
        (
            Place("Tenants", "/console/tenants", "tenants", Permission.TENANTS_READ),
            Place("Apps", "/console/apps", "apps", Permission.APPS_READ),
            Place("API keys", "/console/keys", "keys", Permission.KEYS_READ),
            Place("Users", "/console/users", "users", Permission.USERS_READ),
            Place("Service accounts", "/console/service-accounts", "robot", Permission.SERVICE_ACCOUNTS_READ),
            Place("Token issuers", "/console/issuers", "lock", Permission.ISSUERS_READ),
            Place("Audit events", "/console/audit", "audit", Permission.AUDIT_READ),
        ),
    ),
)


def navigation(may: Callable[[str], bool]) -> list[tuple[str, list[Place]]]:
    """Return the groups of places that somebody may go to."""
    seen = [(group, [place for place in places if may(place.needs)]) for group, places in _GROUPS]
    return [(group, places) for group, places in seen if places]
