"""The words that policy files are made of: what each kind of value may look like, and what an error says of it.

What a value is read from is told to the JSON Schema, too: it knows nothing of readers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, time
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Final, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, WithJsonSchema

from detectors.names import OriginName
from detectors.types import Category
from policies.amounts import Budget, Rate
from policies.matcher import Network
from policies.quantities import parse_budget, parse_days, parse_rate, parse_share, parse_size

_HOST: Final = re.compile(r"(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]")
_MAPPED: Final = 96  # bits before an IPv4 address within IPv6 (RFC 4291, 2.5.5.2)
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


Value = TypeVar("Value")
TEXT: Final = WithJsonSchema({"type": "string"})


class OneOrMany:
    """Marks a list of which one value may stand by itself (`listed`)."""

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        many = handler(core_schema)
        return {"anyOf": [many["items"], many]}


def last_said(values: Iterable[Value | None], default: Value) -> Value:
    """Return what the last layer says that says anything: the child wins."""
    given = [value for value in values if value is not None]
    return given[-1] if given else default


def listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


def _host(value: object) -> object:
    if isinstance(value, str) and _HOST.fullmatch(value):
        return value.lower()
    raise ValueError("expected a host such as 'images.example.org' or '*.example.org', without 'https://' and path")


def _day(value: object) -> object:
    # Not pydantic's own reading, for which a number is a time since 1970.
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("expected a day such as 2027-03-01") from None


def _clock(value: object) -> object:
    match = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('expected a time of day such as "22:00"')
    return time(int(match[1]), int(match[2]))


def _zone(value: object) -> object:
    try:
        return ZoneInfo(value if isinstance(value, str) else "")
    except (ValueError, OSError, KeyError):
        raise ValueError("expected a time zone that this machine knows, such as UTC or Europe/Berlin") from None


def _network(value: object) -> object:
    try:
        network = ip_network(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("expected a network such as 10.0.0.0/8 or 2001:db8::/32, without bits of a host") from None
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is None or network.prefixlen < _MAPPED:
        return network
    return IPv4Network((mapped, network.prefixlen - _MAPPED))  # as addresses are held against it


# Also nothing at all.
AnyListed = (BeforeValidator(listed), OneOrMany())
# An empty list would hold for everything, not for nothing.
Listed = (Field(min_length=1), BeforeValidator(listed), OneOrMany())
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Categories = Annotated[tuple[Category, ...], *Listed]
Origins = Annotated[tuple[OriginName, ...], *Listed]
Names = Annotated[tuple[str, ...], *Listed]
Keys = Annotated[tuple[Annotated[int, Field(ge=1)], ...], *Listed]
Dialects = Annotated[tuple[Literal["openai", "anthropic", "gemini", "generic", "hook"], ...], *Listed]
LanguageCode = Annotated[str, Field(pattern=r"^[a-z]{2}$")]
Languages = Annotated[tuple[LanguageCode, ...], *Listed]
RateText = Annotated[Rate, BeforeValidator(parse_rate), TEXT]
BudgetText = Annotated[Budget, BeforeValidator(parse_budget), TEXT]
ShareText = Annotated[float, BeforeValidator(parse_share), TEXT]
SizeText = Annotated[
    int, BeforeValidator(parse_size), WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string"}]})
]
DaysText = Annotated[int, BeforeValidator(parse_days), TEXT]
HostName = Annotated[str, BeforeValidator(_host)]
Day = Annotated[date, BeforeValidator(_day)]
Clock = Annotated[time, BeforeValidator(_clock), TEXT]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone), TEXT]
Networks = Annotated[tuple[Annotated[Network, BeforeValidator(_network), TEXT], ...], *Listed]
Weekdays = Annotated[tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...], *Listed]
RuleAction = Literal["flag", "pseudonymise", "mask", "block"]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
