"""`promptshield doctor`: look at every part, and say what to do about what is not well."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

import typer

from detectors.errors import PromptShieldError
from policies.references import signatures_named
from proxy.additions.additions import additions
from proxy.additions.operator_packs import OperatorPacks
from proxy.app import Detection, load_detection, policy_store
from proxy.certificate import load_certificates
from proxy.cli.common import ConfigOption, DataOption, progress
from proxy.runtime.installation import has_begun, reachable_engines
from proxy.runtime.processes import run_loop
from proxy.runtime.supervisor import insist_on_c_parser
from proxy.settings import Settings, load_settings
from storage.claim import claim_database
from storage.embedded import EngineUrls
from storage.journal.folder import journal_size
from storage.keys.house_keys import HouseKeys, open_house_keys
from storage.login import login_warnings
from storage.postgres import Database
from storage.redis_client import RedisClient

Result = TypeVar("Result")


@dataclass(slots=True)
class _Report:
    """Prints each finding as it comes and counts what is broken."""

    broken: int = 0

    def say(self, part: str, text: str, *, state: str = "ok") -> None:
        self.broken += state == "FAIL"
        print(f"{state:<5} {part:<12} {text}")


def doctor(config: ConfigOption = None, data: DataOption = None) -> None:
    """Check every part and say what to do. Exit 1 if something is broken."""
    report = _Report()
    settings = _checked(report, "settings", lambda: load_settings(config, data=data))
    _checked(report, "http parser", insist_on_c_parser)
    detection = _checked(report, "detection", load_detection)
    if settings is not None:
        begun = has_begun(settings)
        keys = _checked(report, "keys", lambda: open_house_keys(settings.keys_folder)) if begun else None
        if not begun:
            report.say("installation", f"none in {settings.data} yet: `promptshield serve` makes it")
        report.say("upstreams", ", ".join(u.name for u in settings.upstreams) or "none configured: the demo upstream")
        named = [judge.name for judge in settings.judges if judge.usable]
        report.say("judges", ", ".join(named) or "none has a credential: policies that want them will refuse")
        size = journal_size(settings.journal_folder)
        report.say("journal", f"{size} bytes in files, which go when they are full (8 MiB) and shipped, or at a stop")
        if settings.proxy.tls is not None or settings.engine.tls is not None:
            _checked(report, "certificate", lambda: load_certificates(settings))
        if detection is not None:
            signatures = _additions(report, settings, detection)
            if begun or settings.policies_folder.exists():  # the first start puts the templates there
                run_loop(_policies(report, settings, detection, signatures))
        if keys is not None:
            _engines(report, settings, keys)
        _ports(report, settings)
        if settings.engine.url:
            _engine(report, settings.engine.url)
        _passwords_in_the_open(report, settings)
    raise typer.Exit(1 if report.broken else 0)


def _checked(report: _Report, part: str, look: Callable[[], Result]) -> Result | None:
    try:
        result = look()
    except (PromptShieldError, OSError) as exc:
        report.say(part, str(exc), state="FAIL")
        return None
    report.say(part, "fine")
    return result


async def _policies(
    report: _Report, settings: Settings, detection: Detection, signatures: OperatorPacks | None
) -> None:
    store = policy_store(settings, detection, signatures)
    await store.reload()
    for file, problem in store.failures.items():
        report.say("policy", f"{file}: {problem}", state="FAIL")
    for name, policy in store.policies.items():
        if name not in store.failures:
            report.say("policy", f"{name} {policy.revision}, {policy.mode}, {len(policy.rules)} rules")
            unknown = set(policy.judges.terms.panel if policy.judges else ()) - {
                judge.name for judge in settings.judges
            }
            if unknown:
                report.say(
                    "policy", f"{name} names judges that there are not: {', '.join(sorted(unknown))}", state="warn"
                )
            known = frozenset[str]() if signatures is None else signatures.ids(name.partition("/")[0])
            if missing := signatures_named(policy) - known:
                report.say(
                    "policy", f"{name} names signatures that there are not: {', '.join(sorted(missing))}", state="warn"
                )


def _additions(report: _Report, settings: Settings, detection: Detection) -> OperatorPacks | None:
    """Look at operators' signatures, for everybody and by tenant, and at tenants' heads, by id; return the first."""
    try:
        added = additions(settings, detection.views)
        run_loop(added.packs.reload())
    except (PromptShieldError, OSError) as exc:
        report.say("signatures", str(exc), state="FAIL")
        return None
    for name, problem in added.packs.failures.items():
        report.say("signatures", f"{name or 'for everybody'}: {problem}", state="FAIL")
    for name, pack in added.packs.packs.items():
        if name not in added.packs.failures:
            report.say("signatures", f"{name or 'for everybody'}: {len(pack.signatures)}")
    heads = added.heads.look()
    for tenant, problem in heads.failures.items():
        report.say("heads", f"of tenant {tenant}: {problem}", state="FAIL")
    for tenant, revision in heads.loaded.items():
        report.say("heads", f"of tenant {tenant}: {revision}")
    return added.packs


def _engines(report: _Report, settings: Settings, keys: HouseKeys) -> None:
    try:
        with reachable_engines(settings, keys, progress) as urls:
            run_loop(_ask_engines(report, keys, urls))
    except PromptShieldError as exc:
        report.say("engines", str(exc), state="FAIL")


async def _ask_engines(report: _Report, keys: HouseKeys, urls: EngineUrls) -> None:
    async def redis() -> None:
        client = RedisClient.connect(urls.redis_url, timeout=2)
        try:
            await client.ping()
        finally:
            await client.close()

    async def database() -> None:
        connected = await Database.connect(urls.database_url, size=1)
        try:
            await claim_database(connected, keys.fingerprint())
            for warning in await login_warnings(connected):
                report.say("database", warning, state="warn")
        finally:
            await connected.close()

    for part, ask in (("redis", redis), ("database", database)):
        await _asked(report, part, ask)


async def _asked(report: _Report, part: str, ask: Callable[[], Awaitable[None]]) -> None:
    try:
        await ask()
    except PromptShieldError as exc:
        report.say(part, f"{exc} (was the server started once? is the address right?)", state="FAIL")
    else:
        report.say(part, "answers")


def _engine(report: _Report, url: str) -> None:
    """Whether somebody listens where the detection engine is to be; without it the proxy reads by itself."""
    parts = urlsplit(url)
    try:
        place = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        socket.create_connection(place, timeout=1).close()
    except OSError:
        there = False
    else:
        there = True
    text = "answers" if there else "nobody is there: the proxy reads by itself"
    report.say("engine", f"{url} {text}", state="ok" if there else "warn")


def _passwords_in_the_open(report: _Report, settings: Settings) -> None:
    control = settings.control
    if control.host not in {"127.0.0.1", "::1", "localhost"} and not control.url.startswith("https://"):
        text = f"listens on {control.host} without TLS: put a proxy that speaks it in front and name it in control.url"
        report.say("control", text, state="warn")


def _ports(report: _Report, settings: Settings) -> None:
    for part, listener in (("proxy", settings.proxy), ("control", settings.control)):
        where = f"{listener.host}:{listener.port}"
        try:
            socket.create_connection((listener.host, listener.port), timeout=1).close()
            taken = True
        except OSError:
            taken = False
        report.say(part, f"{where} {'answers' if taken else 'is free: start it with promptshield serve'}")
