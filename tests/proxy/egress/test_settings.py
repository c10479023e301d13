"""Which hosts are read, and what of their paths is the service's own beginning."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from proxy.egress.settings import KNOWN_HOSTS, EgressSettings


def test_paths_of_known_hosts_lose_what_stands_before_the_version() -> None:
    assert KNOWN_HOSTS["openrouter.ai"].prefix == "/api/v1"
    assert KNOWN_HOSTS["api.deepseek.com"].prefix == ""  # its documents say no version
    assert KNOWN_HOSTS["generativelanguage.googleapis.com"].prefix == ""  # Google's have several versions


def test_a_host_of_ones_own_is_read_beside_the_known_ones_or_in_their_place() -> None:
    own = {
        "llm.corp.example": {"base_url": "https://llm.corp.example/v1"},
        "api.openai.com": {"base_url": "http://h/v1"},
    }
    read = EgressSettings.model_validate({"hosts": own}).read
    assert read["api.openai.com"].base_url == "http://h/v1"
    assert {"llm.corp.example", "api.anthropic.com"} <= read.keys()


@pytest.mark.parametrize(
    "hosts",
    [
        {"API.openai.com": {"base_url": "https://h/v1"}},
        {"https://h": {"base_url": "https://h/v1"}},
        {"h": {"base_url": "ftp://h/v1"}},
        {"h": {"base_url": "https://user@h/v1"}},
        {"h": {"base_url": "https://h/v1?x=1"}},
        {"h": {"base_url": "https://h/v1", "dialect": "klingon"}},
    ],
)
def test_what_is_no_host_is_refused(hosts: dict[str, dict[str, str]]) -> None:
    with pytest.raises(ValidationError):
        EgressSettings.model_validate({"hosts": hosts})
