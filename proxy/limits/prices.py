"""What models cost: the list that ships, and what an operator's settings say instead."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from detectors.documents import parse_document
from detectors.errors import SettingsError

MOST_KNOWN: Final = 4096  # names of models whose price is remembered; clients choose them
LONGEST_NAME: Final = 200
_Usd = Annotated[float, Field(ge=0, le=100_000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelPrice(_Strict):
    """US dollars for a million tokens. `model` may hold `*`."""

    model: Annotated[str, Field(min_length=1, max_length=200)]
    input: _Usd = Field(alias="in")
    output: _Usd = Field(alias="out")
    source: str = ""


class UnknownPrice(_Strict):
    """What a model costs that nobody has a price for."""

    input: _Usd = Field(default=0.0, alias="in")
    output: _Usd = Field(default=0.0, alias="out")


class PriceSettings(_Strict):
    """`models` go before the list that ships, the first one that fits; `unknown` is for models that no one lists."""

    models: tuple[ModelPrice, ...] = ()
    unknown: UnknownPrice = UnknownPrice(**{"in": 0.0, "out": 0.0})


class PriceList(_Strict):
    """The list that ships: of which day, and from whom."""

    as_of: str
    sources: dict[str, str]
    models: tuple[ModelPrice, ...]


class Price(NamedTuple):
    """Millionths of a US dollar for one token; `known` tells that some list has the model."""

    input: float
    output: float
    known: bool = True

    def cost(self, prompt_tokens: int, completion_tokens: int) -> int:
        """Return what so many tokens cost, in millionths of a US dollar, rounded up."""
        exact = self.input * prompt_tokens + self.output * completion_tokens
        return math.ceil(exact - 1e-9) if exact > 0 else 0


class Prices:
    """Looks models up by name: in the operator's list, then ours; in each the exact name, then the longest pattern."""

    def __init__(self, settings: PriceSettings) -> None:
        lists = (settings.models, shipped_prices().models)
        self._lists = tuple(tuple(sorted(models, key=_specific)) for models in lists)
        self._unknown = Price(settings.unknown.input, settings.unknown.output, known=False)
        self._found: dict[str, Price] = {}

    def of(self, model: str) -> Price:
        price = self._found.get(model)
        if price is None:
            price = self._look_up(model)
            if len(self._found) >= MOST_KNOWN:
                self._found.clear()
            if len(model) <= LONGEST_NAME:
                self._found[model] = price
        return price

    def dearest(self, models: Sequence[str]) -> Price:
        """Return at most what a token costs of whichever of the models answers."""
        prices = [self.of(model) for model in models] or [self.of("")]
        known = all(price.known for price in prices)
        return Price(max(price.input for price in prices), max(price.output for price in prices), known)

    def _look_up(self, model: str) -> Price:
        names = (model, model.rpartition("/")[2])  # an operator may price openai/gpt-4o apart
        for models in self._lists:
            for name in names:
                for price in models:
                    if name == price.model or ("*" in price.model and fnmatchcase(name, price.model)):
                        return Price(price.input, price.output)
        return self._unknown


def shipped_prices() -> PriceList:
    """Read `proxy/limits/prices.yaml`."""
    text = files("proxy.limits").joinpath("prices.yaml").read_text(encoding="utf-8")
    return parse_document(text, Path("prices.yaml"), SettingsError).validate(PriceList)


def _specific(price: ModelPrice) -> tuple[bool, int]:
    return "*" in price.model, -len(price.model)
