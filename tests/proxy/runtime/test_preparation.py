"""A first start makes the demo tenant and an administrator; every later one leaves what is there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.runtime.installation import Prepared
from proxy.runtime.preparation import prepare_database
from proxy.settings import Settings
from storage.embedded import EngineUrls
from storage.keys.house_keys import open_house_keys
from storage.migrate import migrate
from tests.storage.conftest import DatabaseUrls, new_database


@pytest.fixture
def urls(engines: EngineUrls) -> Iterator[DatabaseUrls]:
    with new_database(engines) as urls:
        asyncio.run(migrate(urls.owner_url, urls.login))
        yield urls


def prepared(settings: Settings, urls: DatabaseUrls) -> Prepared:
    keys, where = open_house_keys(settings.keys_folder), EngineUrls(urls.url, urls.owner_url, "")
    return asyncio.run(prepare_database(settings, keys, where))


def test_what_the_first_start_makes_the_second_finds(tmp_path: Path, urls: DatabaseUrls) -> None:
    first, second = (prepared(Settings(data=tmp_path), urls) for _ in range(2))

    assert first.demo_key.startswith("sk-ps-")
    assert first.admin_password
    assert (second.demo_key, second.admin_password) == (first.demo_key, "")


def test_with_a_master_key_no_administrator_is_made(tmp_path: Path, urls: DatabaseUrls) -> None:
    settings = Settings(data=tmp_path, master_key="a-master-key-that-nobody-guesses")
    assert prepared(settings, urls).admin_password == ""
