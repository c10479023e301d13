"""The words that policy files are made of: what each kind of value may look like, and what an error says of it."""

from __future__ import annotations

import re
from datetime import date, time
from ipaddress import ip_network
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from detectors.documents import nearest
from detectors.types import Category, Origin, Severity
from policies.matcher import Network
from policies.quantities import parse_budget, parse_days, parse_rate, parse_share, parse_size
from policies.types import Budget, Rate

_HOST: Final = re.compile(r"(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]")
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


def _origin(value: object) -> object:
    return Origin.TOOL if value == "document" else value


def _severity(value: object) -> object:
    if isinstance(value, str) and value.upper() in Severity.__members__:
        return Severity.parse(value)
    hint = nearest(str(value), [severity.name.lower() for severity in Severity])
    raise ValueError(f"expected 'low', 'medium', 'high' or 'critical'{hint}")


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
        return ip_network(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("expected a network such as 10.0.0.0/8 or 2001:db8::/32, without bits of a host") from None


# An empty list would hold for everything, not for nothing.
Listed = (BeforeValidator(listed), Field(min_length=1))
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
OriginName = Annotated[Origin, BeforeValidator(_origin)]
Categories = Annotated[tuple[Category, ...], *Listed]
Origins = Annotated[tuple[OriginName, ...], *Listed]
Names = Annotated[tuple[str, ...], *Listed]
Keys = Annotated[tuple[Annotated[int, Field(ge=1)], ...], *Listed]
Dialects = Annotated[tuple[Literal["openai", "anthropic", "gemini", "generic", "hook"], ...], *Listed]
LanguageCode = Annotated[str, Field(pattern=r"^[a-z]{2}$")]
Languages = Annotated[tuple[LanguageCode, ...], *Listed]
SeverityName = Annotated[Severity, BeforeValidator(_severity)]
RateText = Annotated[Rate, BeforeValidator(parse_rate)]
BudgetText = Annotated[Budget, BeforeValidator(parse_budget)]
ShareText = Annotated[float, BeforeValidator(parse_share)]
SizeText = Annotated[int, BeforeValidator(parse_size)]
DaysText = Annotated[int, BeforeValidator(parse_days)]
HostName = Annotated[str, BeforeValidator(_host)]
Day = Annotated[date, BeforeValidator(_day)]
Clock = Annotated[time, BeforeValidator(_clock)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
Networks = Annotated[tuple[Annotated[Network, BeforeValidator(_network)], ...], *Listed]
Weekdays = Annotated[tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...], *Listed]
RuleAction = Literal["flag", "pseudonymise", "mask", "block"]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
