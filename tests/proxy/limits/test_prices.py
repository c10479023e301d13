"""Prices: the list that ships, and what an operator says instead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from detectors.errors import SettingsError
from proxy.limits.prices import LONGEST_NAME, MOST_KNOWN, Prices, PriceSettings, shipped_prices
from proxy.settings import load_settings


def prices(text: str = "{}", folder: Path | None = None) -> Prices:
    if folder is None:
        return Prices(PriceSettings())
    file = folder / "promptshield.yaml"
    file.write_text(f"prices: {text}\n")
    return Prices(load_settings(file, environment={}).prices)


def test_the_list_that_ships_is_dated_sourced_and_sane() -> None:
    shipped = shipped_prices()
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", shipped.as_of)
    assert len(shipped.models) >= 50
    assert {model.source for model in shipped.models} == set(shipped.sources)
    assert len({model.model for model in shipped.models}) == len(shipped.models)
    assert all(model.output >= model.input or model.output == 0 for model in shipped.models)


@pytest.mark.parametrize(
    ("model", "cost"),
    [
        ("gpt-4o", (2.5, 10)),
        ("gpt-4o-2024-05-13", (5, 15)),
        ("gpt-4o-2024-08-06", (2.5, 10)),
        ("gpt-4o-mini-2024-07-18", (0.15, 0.6)),
        ("openai/gpt-4o-mini", (0.15, 0.6)),
        ("claude-sonnet-4-20250514", (3, 15)),
        ("anthropic/claude-opus-4-5", (5, 25)),
        ("gemini-2.5-flash-lite", (0.1, 0.4)),
        ("gpt-5-mini", (0.25, 2)),
        ("text-embedding-3-small", (0.02, 0)),
    ],
)
def test_a_model_is_found_by_name_by_its_dated_name_and_behind_a_path(model: str, cost: tuple[float, float]) -> None:
    price = prices().of(model)
    assert price.known
    assert (price.input, price.output) == cost


@pytest.mark.parametrize("model", ["gpt-4o-evil", "my-model", "", "x" * 5000])
def test_what_no_list_has_costs_what_the_operator_says(tmp_path: Path, model: str) -> None:
    price = prices("{unknown: {in: 3, out: 9}}", tmp_path).of(model)
    assert price == (3.0, 9.0, False)
    assert prices().of(model) == (0.0, 0.0, False)


def test_an_operators_prices_go_first(tmp_path: Path) -> None:
    own = prices("{models: [{model: 'gpt-4o*', in: 1, out: 2}, {model: azure/gpt-4o, in: 7, out: 8}]}", tmp_path)
    assert own.of("gpt-4o") == (1.0, 2.0, True)
    assert own.of("azure/gpt-4o") == (7.0, 8.0, True)
    assert own.of("o3") == (2.0, 8.0, True)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{models: [{model: a, in: -1, out: 2}]}", "expected 0 or more"),
        ("{models: [{model: a, in: 1}]}", "missing key 'out'"),
        ("{modells: []}", "unknown key 'modells' (did you mean 'models'?)"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as refused:
        prices(text, tmp_path)
    assert problem in str(refused.value)


def test_costs_are_rounded_up_and_the_dearest_model_counts() -> None:
    price = prices().of("gpt-4o-mini")
    assert [price.cost(*tokens) for tokens in ((0, 0), (1, 0), (7, 5), (1_000_000, 1_000_000))] == [0, 1, 5, 750_000]
    assert prices().dearest(["gpt-4o-mini", "o3"])[:2] == (2.0, 8.0)
    assert not prices().dearest(["o3", "nobodys"]).known
    assert not prices().dearest([]).known


def test_names_that_clients_make_up_take_no_room() -> None:
    known = prices()
    for number in range(MOST_KNOWN + 10):
        known.of(f"m{number}")
    known.of("x" * (LONGEST_NAME + 1))
    assert len(known._found) <= MOST_KNOWN
    assert all(len(name) <= LONGEST_NAME for name in known._found)
