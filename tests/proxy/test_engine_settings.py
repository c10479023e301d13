"""The engine's settings: nobody listens to strangers without a token."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from proxy.engine_settings import EngineSettings, is_loopback

TOKEN = "t" * 24


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_needs_no_token(host: str) -> None:
    assert EngineSettings(host=host).token == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "engine.internal"])  # noqa: S104 - refused
def test_any_other_bind_needs_one(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(ValidationError, match=r"needs engine\.token"):
        EngineSettings(host=host)
    assert EngineSettings(host=host, token=TOKEN).host == host


def test_a_short_token_is_none() -> None:
    with pytest.raises(ValidationError, match="too short"):
        EngineSettings(token="secret")


@pytest.mark.parametrize("url", ["ftp://a", "http://", "http://u:p@a", "http://a?x=1", "engine:8080"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="expected http"):
        EngineSettings(url=url)


def test_a_token_is_not_shown() -> None:
    assert TOKEN not in repr(EngineSettings(token=TOKEN))
