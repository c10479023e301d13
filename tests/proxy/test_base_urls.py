"""What may stand as the base URL of a service, wherever a configuration names one."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from proxy.base_urls import BaseUrl, OptionalBaseUrl

REQUIRED, OPTIONAL = TypeAdapter[str](BaseUrl), TypeAdapter[str](OptionalBaseUrl)


@pytest.mark.parametrize("kind", [REQUIRED, OPTIONAL])
def test_a_slash_at_the_end_is_no_part_of_it(kind: TypeAdapter[str]) -> None:
    assert kind.validate_python("https://llm.example:8443/v1/") == "https://llm.example:8443/v1"


@pytest.mark.parametrize("kind", [REQUIRED, OPTIONAL])
@pytest.mark.parametrize(
    "url",
    [
        "llm.example/v1", "ftp://llm.example", "https://", "https:///v1", "https://me@llm.example", "https://:pw@llm.example",
        "https://llm.example/v1?key=1", "https://llm.example/#a", "https://llm.example:0", "https://llm.example:99999",
    ],
)  # fmt: skip
def test_what_is_no_base_url_is_refused(kind: TypeAdapter[str], url: str) -> None:
    with pytest.raises(ValidationError):
        kind.validate_python(url)


def test_only_an_optional_one_may_be_empty() -> None:
    assert OPTIONAL.validate_python("") == ""
    with pytest.raises(ValidationError):
        REQUIRED.validate_python("")
