"""One running product for all end-to-end tests, in front of an upstream that remembers what reached it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from tests.harness import Product, Recorder

DIALECTS = ("openai", "anthropic", "gemini")


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ps-e2e-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # the engines' account must be able to pass
        yield folder


@pytest.fixture(scope="session")
def upstream() -> Iterator[Recorder]:
    with Recorder() as recorder:
        yield recorder


@pytest.fixture(scope="session")
def product(folder: Path, upstream: Recorder) -> Iterator[Product]:
    with Product(folder / "shared", upstream=upstream.url) as product:
        yield product


@pytest.fixture(scope="session")
def any_upstream() -> Iterator[Recorder]:
    """An upstream that is asked in every dialect."""
    with Recorder() as recorder:
        yield recorder


@pytest.fixture(scope="session")
def any_dialect(folder: Path, any_upstream: Recorder) -> Iterator[Product]:
    """A product in front of it; each module that uses it says what its policy is."""
    each = "".join(f"\n- {{name: {d}, dialect: {d}, base_url: '{any_upstream.url}'}}" for d in DIALECTS)
    with Product(folder / "any", workers=1, extra=f"upstreams:{each}\n") as product:
        yield product


@pytest.fixture
def recorder(upstream: Recorder) -> Recorder:
    """The upstream of the shared product, with nothing received and nothing scripted yet."""
    upstream.received.clear()
    upstream.scripts.clear()
    upstream.disconnects = 0
    return upstream


@pytest.fixture
def client(product: Product) -> Iterator[OpenAI]:
    """The official SDK as an app uses it: only base URL and key are ours."""
    with OpenAI(base_url=product.url, api_key=product.key) as client:
        yield client
