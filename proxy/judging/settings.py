"""Judges as an operator configures them, and the panel that serves where nobody configured any."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FilePath, IPvAnyNetwork

from detectors.documents import Document
from detectors.errors import SettingsError
from detectors.judges.types import Dialect, Form, JudgeSpec
from proxy.base_urls import BaseUrl

_OPENROUTER: Final = "https://openrouter.ai/api/v1"
_GOOGLE: Final = "https://generativelanguage.googleapis.com/v1beta"
# In the order in which they are asked. Prices are those of late 2025 (docs/judges.md); a file may name others.
_DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "moonshot-kimi-k2": {
            "endpoint": _OPENROUTER, "model": "moonshotai/kimi-k2", "priority": 10,
            "price": {"input": 0.60, "output": 2.50},
        },
        "gemini-1.5-flash": {
            "dialect": "gemini", "endpoint": _GOOGLE, "model": "gemini-1.5-flash", "priority": 20,
            "price": {"input": 0.075, "output": 0.30},
        },
        "sonoma-sky-alpha": {
            "endpoint": _OPENROUTER, "model": "openrouter/sonoma-sky-alpha", "priority": 30,
            "price": {"input": 0.0, "output": 0.0},
        },
    }
)  # fmt: skip
_NUMBER: Final = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,3})?")
_CREDENTIALS: Final = MappingProxyType({_OPENROUTER: "OPENROUTER_API_KEY", _GOOGLE: "GEMINI_API_KEY"})


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class JudgePrice(_Strict):
    """US dollars for a million tokens."""

    input: float = Field(default=0.0, ge=0)
    output: float = Field(default=0.0, ge=0)


class JudgeBreaker(_Strict):
    """After `threshold` failures in a row, of all workers together, nobody asks for `recovery` seconds."""

    threshold: int = Field(default=5, ge=1)
    recovery: float = Field(default=30, gt=0)


class JudgeSettings(_Strict):
    """A language model that judges. `endpoint` goes before `/chat/completions`, or for Gemini before `/models/...`.

    Only public addresses over HTTPS, unless `allow_networks` names the network of the endpoint. `timeout` is seconds of
    one call; the lowest `priority` is asked first.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9.-]{0,38}$")
    dialect: Dialect = Dialect.OPENAI
    endpoint: BaseUrl
    model: Annotated[str, Field(min_length=1, max_length=200)]
    credential: str = Field(default="", repr=False)
    priority: int = 100
    timeout: float = Field(default=30, gt=0, le=600)
    price: JudgePrice = JudgePrice()
    languages: tuple[Annotated[str, Field(pattern=r"^[a-z]{2}$")], ...] = ()
    response_format: Form = Form.OBJECT
    shadow: bool = False
    breaker: JudgeBreaker = JudgeBreaker()
    allow_networks: tuple[IPvAnyNetwork, ...] = ()
    ca_file: FilePath | None = None

    @property
    def usable(self) -> bool:
        """Tell whether it may be asked: those that we know by name want a credential."""
        return bool(self.credential) or self.name not in _DEFAULTS

    @property
    def spec(self) -> JudgeSpec:
        return JudgeSpec(
            name=self.name,
            dialect=self.dialect,
            endpoint=self.endpoint,
            model=self.model,
            timeout=self.timeout,
            price_in=self.price.input,
            price_out=self.price.output,
            languages=self.languages,
            form=self.response_format,
            shadow=self.shadow,
            threshold=self.breaker.threshold,
            recovery=self.breaker.recovery,
        )


def _told_apart(judges: tuple[JudgeSettings, ...]) -> tuple[JudgeSettings, ...]:
    names = [judge.name for judge in judges]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two judges are called {', '.join(twice)}")
    return judges


JudgesSettings = Annotated[tuple[JudgeSettings, ...], AfterValidator(_told_apart)]


def with_judges(document: Document, environment: Mapping[str, str]) -> Document:
    """Return settings with their judges, or the default panel, and what the environment says where they say nothing.

    A judge that has the name of one of the default panel needs to say only what is different. Raises SettingsError.
    """
    for variable in ("MODEL_TIMEOUT_SECONDS", "CIRCUIT_BREAKER_THRESHOLD"):
        if environment.get(variable) and not _NUMBER.fullmatch(environment[variable]):
            raise SettingsError("environment", None, f"{variable} is no number")
    judges = document.content.get("judges", [{"name": name} for name in _DEFAULTS])
    if not isinstance(judges, list):  # which is an error of the file, with its line
        return document
    entries = [_completed(entry, environment) if isinstance(entry, dict) else entry for entry in judges]
    return Document(document.file, document.content | {"judges": entries}, document.root, SettingsError)


def _completed(entry: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    name = entry.get("name")
    known = _DEFAULTS.get(name, {}) if isinstance(name, str) else {}
    whole: dict[str, Any] = {**known, **entry}
    variable = _CREDENTIALS.get(str(whole.get("endpoint", "")).rstrip("/"))
    if variable is not None and environment.get(variable):
        whole.setdefault("credential", environment[variable])
    if environment.get("MODEL_TIMEOUT_SECONDS"):
        whole.setdefault("timeout", environment["MODEL_TIMEOUT_SECONDS"])
    breaker = whole.get("breaker") or {}
    if environment.get("CIRCUIT_BREAKER_THRESHOLD") and isinstance(breaker, dict):
        whole["breaker"] = {"threshold": environment["CIRCUIT_BREAKER_THRESHOLD"], **breaker}
    return whole
