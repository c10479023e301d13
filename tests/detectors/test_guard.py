"""A guard knows the hosts that its policy lists."""

from __future__ import annotations

import pytest

from detectors.guard import Guard


@pytest.mark.parametrize(
    ("host", "listed"),
    [
        ("images.example.org", True),
        ("a.b.example.net", True),
        ("example.net", False),
        ("evilexample.net", False),
        ("images.example.org.evil.example", False),
        ("", False),
    ],
)
def test_a_host_is_listed_by_its_name_or_by_all_above_it(host: str, listed: bool) -> None:
    assert Guard(hosts=("images.example.org", "*.example.net")).lists(host) is listed


def test_without_a_list_nothing_is_listed() -> None:
    assert not Guard().lists("example.org")
