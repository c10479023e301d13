from __future__ import annotations

from proxy.control.access.types import AdminRole
from proxy.control.denials import Denials
from tests.proxy.control.house import principal


def test_somebody_denied_again_and_again_is_noted_now_and_then() -> None:
    now = [0.0]
    denials = Denials(2, lambda: now[0])
    who, other = principal(AdminRole.AUDITOR), principal(AdminRole.AUDITOR, number=2)
    assert [denials.admit(who) for _ in range(5)] == [0, 0, None, None, None]
    assert denials.admit(other) == 0
    now[0] = 61.0
    assert [denials.admit(who) for _ in range(3)] == [3, 0, None]


def test_what_is_remembered_is_bounded() -> None:
    denials = Denials(1, lambda: 0.0)
    for number in range(3000):
        assert denials.admit(principal(AdminRole.AUDITOR, number=number)) == 0
    assert denials.admit(principal(AdminRole.AUDITOR, number=2999)) is None
    assert denials.admit(principal(AdminRole.AUDITOR, number=1)) == 0
