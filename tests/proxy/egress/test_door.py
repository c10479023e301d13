"""Only our own proxy may say where an exchange was going."""

from __future__ import annotations

from collections import Counter

import pytest

from detectors.errors import EdgeError
from proxy.egress.door import HEADER, _count, open_door
from proxy.egress.settings import EgressSettings

OWN = {"hosts": {"llm.corp.example": {"base_url": "http://127.0.0.1:9/api/v1/"}}}
TOKEN = "0123456789abcdef" * 4
DOOR = open_door(TOKEN, EgressSettings.model_validate(OWN).read)


def test_what_did_not_come_by_the_proxy_goes_where_it_always_went() -> None:
    assert DOOR.destination({}) is None


def test_our_proxy_names_a_host_and_that_is_the_upstream() -> None:
    upstream = DOOR.destination({HEADER: f"llm.corp.example {TOKEN}"})
    assert upstream is not None
    assert (upstream.base_url, upstream.credential) == ("http://127.0.0.1:9/api/v1", "")


@pytest.mark.parametrize(
    "said", ["", "llm.corp.example", f"llm.corp.example {TOKEN}x", f"evil.example {TOKEN}", "api.openai.com é", TOKEN]
)
def test_nobody_else_may(said: str) -> None:
    with pytest.raises(EdgeError) as caught:
        DOOR.destination({HEADER: said})
    assert caught.value.status == 401


class Counted:
    """What was counted, by result."""

    def __init__(self) -> None:
        self.results: Counter[str] = Counter()

    def count(self, name: str, labels: tuple[str, ...], amount: float = 1) -> None:
        assert name == "promptshield_egress_connections_total"
        self.results[labels[0]] += int(amount)


def test_what_our_proxy_saw_pass_is_counted() -> None:
    counted = Counted()
    for said in ("read=3,untouched=1", "untouched=2"):
        assert _count(counted, {"x-promptshield-egress-counts": said}).status == 204  # type: ignore[arg-type]
    assert counted.results == {"read": 3, "untouched": 3}


@pytest.mark.parametrize("said", ["", "read", "read=", "read=-1", "read=1,", "stolen=1", "read=1e9", "read=1234567890"])
def test_what_is_no_count_is_refused_whole(said: str) -> None:
    counted = Counted()
    with pytest.raises(EdgeError) as caught:
        _count(counted, {"x-promptshield-egress-counts": said})  # type: ignore[arg-type]
    assert (caught.value.status, counted.results) == (400, {})
