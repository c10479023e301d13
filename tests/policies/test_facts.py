"""Facts: what of them the row keeps, and that the same come back out of it."""

from __future__ import annotations

from dataclasses import asdict

from policies.facts import Facts, kept_facts, recalled_facts

FULL = Facts(
    at=1_800_000_000.0,
    tenant="acme",
    app="shop",
    key_id=7,
    dialect="openai",
    route="POST /v1/chat/completions",
    model="gpt-4o",
    upstream="openai",
    streaming=True,
    network="192.0.2.7",
    roles=("intern",),
    language="de",
    cost=1.5,
)


def test_the_row_keeps_what_has_no_column_and_nothing_personal() -> None:
    assert kept_facts(FULL) == {"roles": ("intern",), "language": "de", "cost": 1.5}
    assert kept_facts(Facts(at=1.0)) == {}


def test_recorded_facts_come_back_as_they_were() -> None:
    assert recalled_facts(FULL.at, asdict(FULL), kept_facts(FULL), FULL.network) == FULL
