"""`promptshield.yaml` and the environment: everything an installation may set, each with a good default."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from types import GenericAlias
from typing import Any, Final, Literal, Self
from urllib.parse import quote

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    PrivateAttr,
    create_model,
    field_validator,
    model_validator,
)

from detectors.documents import Document, read_document
from detectors.errors import SettingsError
from policies.schema_words import SizeText
from proxy.base_urls import BaseUrl, PostgresUrl, RedisUrl
from proxy.control.incident_settings import IncidentSettings
from proxy.control.settings import ControlSettings
from proxy.edge_settings import EdgeSettings, ProxyListener
from proxy.egress.settings import EgressSettings
from proxy.engine_settings import EngineSettings
from proxy.judging.settings import JudgesSettings, with_judges
from proxy.limits.prices import PriceSettings
from proxy.telemetry.logs import LogSettings
from proxy.telemetry.tracing_settings import TracingSettings
from proxy.upstreams.defaults import default_upstreams, with_threshold
from storage.journal.journal import Sync
from storage.sink import SinkSettings, models_of, refuse_equal_names

DEFAULT_FILE: Final = Path("promptshield.yaml")
DEFAULT_DATA: Final = Path(".promptshield")
_REFERENCE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::([^}]*))?\}|^os\.environ/([A-Za-z_][A-Za-z0-9_]*)$")
_WEAK: Final = frozenset({"sk-1234", "changeme", "password", "secret", "admin", "master"})


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Timeouts(Strict):
    """Seconds: to connect, to the first byte, between two chunks of a stream, and to the end of the answer in all."""

    connect: float = Field(default=5, gt=0)
    first_byte: float = Field(default=120, gt=0)
    between_chunks: float = Field(default=60, gt=0)
    total: float = Field(default=600, gt=0)


class BreakerSettings(Strict):
    """After `threshold` failures in a row nobody is let through for `recovery` seconds."""

    threshold: int = Field(default=5, ge=1)
    recovery: float = Field(default=30, gt=0)


class UpstreamSettings(Strict):
    """An LLM service, and the dialect it speaks. `models` are patterns of what it serves; of several that fit, the
    lowest `priority` gets it. `base_url` goes before what follows the version (`/v1`, `/v1beta`) in a path.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,38}$")
    dialect: Literal["openai", "anthropic", "gemini"] = "openai"
    base_url: BaseUrl
    credential: str = Field(default="", repr=False)
    models: tuple[str, ...] = ("*",)
    timeouts: Timeouts = Timeouts()
    breaker: BreakerSettings = BreakerSettings()
    priority: int = 100

    def serves(self, model: str) -> bool:
        return "*" in self.models or any(fnmatchcase(model, pattern) for pattern in self.models)


class JournalSettings(Strict):
    sync: Sync = Sync.PROCESS
    disk_limit: SizeText = 1 << 30


class IdentitySettings(Strict):
    """`max_stale`: seconds a known key stays valid while Postgres cannot be asked. Keys of tenants' issuers
    are asked for at public addresses alone, and in `allow_networks`.
    """

    max_stale: float = Field(default=300, ge=0)
    allow_networks: tuple[IPvAnyNetwork, ...] = ()


class MetricsSettings(Strict):
    """How many tenants get a label of their own before they are counted as `other`; with `tenant_label: false` none."""

    tenants: int = Field(default=50, ge=0)
    tenant_label: bool = True


class Settings(Strict):
    """The whole configuration. Secrets are best given as `${NAME}`.

    `master_key` signs in to the control plane as its first administrator; best as PROMPTSHIELD_MASTER_KEY.
    `four_eyes`: a policy that the database holds is in force only after somebody else than its author approved it.
    """

    proxy: ProxyListener = ProxyListener()
    control: ControlSettings = ControlSettings()
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=256)
    data: Path = DEFAULT_DATA
    policies: Path | None = None
    four_eyes: bool = False
    database_url: PostgresUrl = Field(default="", repr=False)
    database_owner_url: PostgresUrl = Field(default="", repr=False)
    database_read_url: PostgresUrl = Field(default="", repr=False)
    redis_url: RedisUrl = Field(default="", repr=False)
    master_key: str = Field(default="", repr=False)
    upstreams: tuple[UpstreamSettings, ...] = ()
    journal: JournalSettings = JournalSettings()
    identity: IdentitySettings = IdentitySettings()
    edge: EdgeSettings = EdgeSettings()
    engine: EngineSettings = EngineSettings()
    metrics: MetricsSettings = MetricsSettings()
    tracing: TracingSettings = TracingSettings()
    log: LogSettings = LogSettings()
    egress: EgressSettings = EgressSettings()
    sinks: tuple[SinkSettings, ...] = ()
    judges: JudgesSettings = ()
    incidents: IncidentSettings = IncidentSettings()
    prices: PriceSettings = PriceSettings()
    _file: Path | None = PrivateAttr(default=None)  # where all this was read from, or would have been

    @field_validator("upstreams")
    @classmethod
    def _have_names_of_their_own(cls, upstreams: tuple[UpstreamSettings, ...]) -> tuple[UpstreamSettings, ...]:
        names = [upstream.name for upstream in upstreams]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two upstreams are called {', '.join(twice)}")
        return upstreams

    @field_validator("master_key")
    @classmethod
    def _is_strong(cls, key: str) -> str:
        if key and _is_weak(key):
            raise ValueError("too weak: use 24 random characters or more (openssl rand -base64 32)")
        return key

    @model_validator(mode="after")
    def _have_a_port_each(self) -> Self:
        control = self.control
        if control.port and (control.host, control.port) == (self.proxy.host, self.proxy.port):
            raise ValueError(f"proxy and control both want {control.host}:{control.port}")
        return self

    @field_validator("sinks")
    @classmethod
    def _are_told_apart(cls, sinks: tuple[SinkSettings, ...]) -> tuple[SinkSettings, ...]:
        refuse_equal_names(sinks)
        return sinks

    @property
    def file(self) -> Path | None:
        return self._file

    @property
    def checkpoints_folder(self) -> Path:
        return self.data / "checkpoints"

    @property
    def sinks_folder(self) -> Path:
        return self.data / "sinks"

    @property
    def policies_folder(self) -> Path:
        return self.policies or self.data / "policies"

    @property
    def heads_folder(self) -> Path:
        return self.data / "heads"

    @property
    def keys_folder(self) -> Path:
        return self.data / "keys"

    @property
    def journal_folder(self) -> Path:
        return self.data / "journal"


def load_settings(
    file: Path | None = None,
    *,
    data: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """Read the file (default `promptshield.yaml`, if there); `environment` and `data` win. Raises SettingsError."""
    document = with_judges(_with_breakers(_document(file, environment), environment), environment)
    given = _from_environment(environment, data)
    if not document.content.get("upstreams"):
        given["upstreams"] = with_threshold(default_upstreams(environment), environment)
    # By themselves first: an error in them stands in no file.
    Document(Path("environment"), given, None, SettingsError).validate(Settings)
    engine = document.content.get("engine")
    if "engine" in given and isinstance(engine, dict):
        given["engine"] = engine | given["engine"]
    model = _with_sinks(document)
    settings = Document(document.file, document.content | given, document.root, SettingsError).validate(model)
    settings._file = document.file  # noqa: SLF001 - ours to say
    return settings


def _with_breakers(document: Document, environment: Mapping[str, str]) -> Document:
    upstreams = document.content.get("upstreams")
    if not isinstance(upstreams, list):
        return document
    content = document.content | {"upstreams": with_threshold(upstreams, environment)}
    return Document(document.file, content, document.root, SettingsError)


def _with_sinks(document: Document) -> type[Settings]:
    """Settings in which each entry of `sinks:` has the keys of its own type, so that errors name their line."""
    models = models_of(document)
    if not models:
        return Settings
    fields: dict[str, Any] = {"sinks": (GenericAlias(tuple, models), ...)}
    return create_model("Settings", __base__=Settings, **fields)


def _document(file: Path | None, environment: Mapping[str, str]) -> Document:
    if file is None and not DEFAULT_FILE.exists():
        return Document(DEFAULT_FILE, {}, None, SettingsError)
    document = read_document(file or DEFAULT_FILE, SettingsError)
    content = {key: _interpolated(value, (key,), document, environment) for key, value in document.content.items()}
    return Document(document.file, content, document.root, SettingsError)


def _interpolated(value: Any, loc: tuple[str | int, ...], document: Document, environment: Mapping[str, str]) -> Any:
    """Replace `${NAME}`, `${NAME:default}` and `os.environ/NAME`; a missing name without default is an error."""
    if isinstance(value, dict):
        return {k: _interpolated(v, (*loc, k), document, environment) for k, v in value.items()}
    if isinstance(value, list):
        return [_interpolated(v, (*loc, i), document, environment) for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value

    def look_up(match: re.Match[str]) -> str:
        name, default = match.group(1) or match.group(3), match.group(2)
        found = environment.get(name, default)
        if found is None:
            raise document.complain(loc, f"environment variable {name} is not set (or write ${{{name}:default}})")
        return found

    if "${" in _REFERENCE.sub("", value):
        raise document.complain(loc, "write ${NAME} or ${NAME:default}", of_key=False)
    return _REFERENCE.sub(look_up, value)


def _from_environment(environment: Mapping[str, str], data: Path | None) -> dict[str, Any]:
    """The documented names. A Redis given by host, port and password becomes a URL."""
    given: dict[str, Any] = {}
    names = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_READ_URL", "REDIS_URL")
    given |= {name.lower(): environment[name] for name in names if environment.get(name)}
    if environment.get("REDIS_HOST") and "redis_url" not in given:
        password = environment.get("REDIS_PASSWORD", "")
        account = f":{quote(password, safe='')}@" if password else ""
        given["redis_url"] = f"redis://{account}{environment['REDIS_HOST']}:{environment.get('REDIS_PORT', '6379')}/0"
    if environment.get("DETECTION_ENGINE_URL"):
        given["engine"] = {"url": environment["DETECTION_ENGINE_URL"]}
    if environment.get("NUM_WORKERS"):
        given["workers"] = environment["NUM_WORKERS"]
    if data is not None or environment.get("PROMPTSHIELD_DATA"):
        given["data"] = data or Path(environment["PROMPTSHIELD_DATA"])
    if "PROMPTSHIELD_MASTER_KEY" in environment:
        given["master_key"] = environment["PROMPTSHIELD_MASTER_KEY"]
        _refuse_weak_master_key(given["master_key"])
    return given


def _refuse_weak_master_key(key: str) -> None:
    if _is_weak(key):
        problem = "PROMPTSHIELD_MASTER_KEY is too weak: use 24 random characters or more (openssl rand -base64 32)"
        raise SettingsError("environment", None, problem)


def _is_weak(key: str) -> bool:
    return len(key) < 24 or key.lower() in _WEAK or len(set(key)) < 8
