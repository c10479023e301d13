from __future__ import annotations

from proxy.control.access.matrix import MATRIX
from proxy.control.access.types import AdminRole
from proxy.control.console.navigation import navigation
from tests.proxy.control.console.test_mount import PATHS


def test_everybody_is_led_only_to_what_their_role_reads() -> None:
    names = {
        role: {place.name for _, places in navigation(MATRIX[role].__contains__) for place in places}
        for role in AdminRole
    }
    assert names[AdminRole.PLATFORM_ADMIN] > names[AdminRole.ANALYST]
    assert "Users" not in names[AdminRole.ANALYST]
    assert "Audit events" in names[AdminRole.AUDITOR]
    assert navigation(lambda _: False) == []


def test_every_place_is_a_page() -> None:
    places = [place.path for _, group in navigation(lambda _: True) for place in group]
    assert len(places) == 17
    assert set(places) <= set(PATHS)
