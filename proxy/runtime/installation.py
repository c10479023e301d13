"""What an installation is to its commands: its engines, its policies' folder, its name, and where a server runs."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

import policies
from detectors.errors import StorageError
from proxy.settings import Settings
from storage.embedded import EmbeddedEngines, EnginePasswords, EngineUrls
from storage.embedded.locks import is_claimed
from storage.keys.house_keys import HouseKeys

_TEMPLATES: Final = Path(policies.__file__).parent / "templates"
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, repr=False)
class Prepared:
    """What a start found or made for the person who starts: the demo API key, and the first administrator's password,
    which is good for one sign-in. Empty where there is none.
    """

    demo_key: str
    admin_name: str
    admin_password: str


def embedded_engines(settings: Settings, house_keys: HouseKeys, report: Report) -> EmbeddedEngines:
    """Return the engines that no URL is configured for, not yet started."""
    passwords = EnginePasswords(house_keys.postgres_owner, house_keys.postgres_login, house_keys.valkey)
    wanted = [] if settings.database_url else ["postgres"]
    wanted += [] if settings.redis_url else ["valkey"]
    return EmbeddedEngines(settings.data, passwords, report, wanted=wanted)


def engine_urls(settings: Settings, embedded: EngineUrls) -> EngineUrls:
    """Return the configured addresses, and the embedded ones for what is not configured."""
    database = settings.database_url or embedded.database_url
    owner = settings.database_owner_url or settings.database_url or embedded.database_owner_url
    return EngineUrls(database, owner, settings.redis_url or embedded.redis_url)


def has_begun(settings: Settings) -> bool:
    """Tell whether there is an installation: keys in its folder, or engines that are not ours to start."""
    return settings.keys_folder.exists() or bool(settings.database_url and settings.redis_url)


def prepare_policies(folder: Path) -> None:
    """Put the templates where no policy is yet; what is there is never touched, nor an empty folder that is not ours.

    Raises OSError.
    """
    if folder.exists() and (any(folder.iterdir()) or not os.access(folder, os.W_OK)):
        return
    folder.mkdir(parents=True, exist_ok=True)
    for template in sorted(_TEMPLATES.glob("*.yaml")):
        shutil.copyfile(template, folder / template.name)


def write_private(file: Path, text: str) -> None:
    """Write a file that only we may read; whatever breaks off, it is there whole or not at all."""
    unfinished = file.with_name(f"{file.name}.new")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    unfinished.rename(file)


def instance_name(settings: Settings) -> str:
    """Return the name under which this data folder journals: made once, so that no journal is left behind.

    Raises StorageError for a file without a name: with none, the journal would lie where those of all instances do.
    """
    file = settings.data / "instance"
    if not file.exists():
        write_private(file, secrets.token_hex(4))
    name = file.read_text().strip()
    if not name:
        raise StorageError(f"{file} is empty: write the name of the folder below {settings.journal_folder} into it")
    return name


def runtime_file(settings: Settings) -> Path:
    return settings.keys_folder / "runtime.json"


def note_running(settings: Settings, urls: EngineUrls) -> None:
    """Leave the engines' addresses for commands that run beside the server (0600, among the keys)."""
    addresses = {"database": urls.database_url, "owner": urls.database_owner_url, "redis": urls.redis_url}
    write_private(runtime_file(settings), orjson.dumps({"pid": os.getpid(), **addresses}).decode())


@contextmanager
def reachable_engines(settings: Settings, house_keys: HouseKeys, report: Report) -> Iterator[EngineUrls]:
    """Give a command the engines: those of the running server, else its own for as long as it lasts.

    Raises EngineError, StorageError.
    """
    running = _running(settings)
    if running is not None or (settings.database_url and settings.redis_url):
        yield engine_urls(settings, running or EngineUrls("", "", ""))
        return
    engines = embedded_engines(settings, house_keys, report)
    try:
        yield engine_urls(settings, engines.start())
    finally:
        engines.stop()


def _running(settings: Settings) -> EngineUrls | None:
    """Return what a server left here, if it is this folder's own: one that was copied holds what another one left, and
    a process that was killed left a number that somebody else has by now.
    """
    if not is_claimed(settings.data):
        return None
    try:
        fields = orjson.loads(runtime_file(settings).read_bytes())
        os.kill(fields["pid"], 0)
    except (OSError, orjson.JSONDecodeError, KeyError):
        return None
    return EngineUrls(fields["database"], fields["owner"], fields["redis"])
