"""Only our own proxy may say where an exchange was going."""

from __future__ import annotations

import pytest

from detectors.errors import EdgeError
from proxy.egress.door import HEADER, open_door
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
