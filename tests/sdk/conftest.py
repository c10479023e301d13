"""Where the product runs that `make sdk` has started. Without these clients at hand nothing here is collected."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec

import pytest

collect_ignore_glob = [] if find_spec("litellm") and find_spec("langchain_openai") else ["test_*.py"]


@dataclass(frozen=True, slots=True)
class Running:
    """The base URL for OpenAI's dialect; a key; and the key of a tenant that may ask once an hour."""

    url: str
    key: str
    hasty_key: str

    @property
    def root(self) -> str:
        return self.url.removesuffix("/v1")


@pytest.fixture(scope="session")
def running() -> Running:
    return Running(os.environ["SDK_URL"], os.environ["SDK_KEY"], os.environ["SDK_HASTY_KEY"])
