"""`promptshield policy save`, `versions`, `approve`, `rollback` and the like: policies that the database holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from detectors.build import rule_ids
from detectors.documents import read_document
from detectors.errors import PolicyError, StorageError, UnknownTenantError
from policies.folders import refuse_word_files
from policies.loader import LoadedPolicy, load_policy
from policies.testing import run_tests
from proxy.app import Detection, load_detection
from proxy.cli.common import ConfigOption, DataOption, actor, with_database
from proxy.cli.policy_files import installed_signatures, policy_id, refuse
from proxy.held_policies import library_of
from proxy.request_reader import CodecReader
from proxy.runtime.processes import run_loop
from proxy.settings import Settings, load_settings
from storage.keys.house_keys import HouseKeys
from storage.policy_versions import PolicyVersion, PolicyVersions
from storage.postgres import Database
from storage.tenants.tenants import RESERVED_SLUGS, TenantStore

NameArgument = Annotated[str, typer.Argument(help="A tenant's slug, or tenant/app for one app.")]
_SHORTEST, _LONGEST = 3, 1000  # characters, as migration 0017 says


def _reason(text: str) -> str:
    if not _SHORTEST <= len(text) <= _LONGEST:
        raise typer.BadParameter(f"a reason has {_SHORTEST} to {_LONGEST} characters")
    return text


ReasonOption = Annotated[
    str, typer.Option(help="Why, for those who ask later: 3 characters or more.", callback=_reason)
]
VersionArgument = Annotated[int, typer.Argument(min=1, help="Its number, as `versions` shows it.")]


def save(
    file: Annotated[Path, typer.Argument(help="The policy's text.")],
    reason: ReasonOption,
    name: Annotated[str | None, typer.Option(help="The tenant, or tenant/app (default: the file's name).")] = None,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Keep a policy in the database as a new version. It is checked and tested, and not yet in force."""
    policy = name or policy_id(file)
    detection, settings = load_detection(), load_settings(config, data=data)
    refuse_word_files(read_document(file, PolicyError))
    loaded = load_policy(file, policy, rule_ids(detection.rules), library_of(settings))
    revision = checked(loaded.looking_for(installed_signatures(settings, detection, policy)), detection)

    async def work(database: Database, _keys: HouseKeys, settings: Settings) -> int:
        await _refuse_nobodys(database, policy)
        _refuse_both(settings, policy, file)
        return await PolicyVersions(database).save(policy, file.read_text("utf-8-sig"), revision, actor(), reason)

    number = with_database(config, data, work)
    print(f"{policy} version {number} is saved ({revision}); put it in force: promptshield policy promote {policy}")


def checked(loaded: LoadedPolicy, detection: Detection) -> str:
    """Return the revision of a policy that passes its own tests. Raises PolicyError."""
    reader = CodecReader(detection.codecs)
    for result in run_loop(run_tests(loaded, detection.chain, detection.actions, reader)):
        if not result.passed:
            raise PolicyError(loaded.file, None, f"test '{result.name}' {result.problems[0]}")
    return loaded.policy.revision


def versions(name: NameArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """List the versions of a policy, oldest first; `*` is in force."""

    async def work(database: Database, _keys: HouseKeys, _settings: Settings) -> tuple[PolicyVersion, ...]:
        return await PolicyVersions(database).history(name)

    found = with_database(config, data, work)
    if not found:
        raise StorageError(f"the database holds no version of '{name}'")
    for one in found:
        approved = f", approved by {one.approved_by}" if one.approved_by else ""
        head = f"{'*' if one.in_force else ' '} {one.version:4}  {one.created_at:%Y-%m-%d %H:%M}  {one.revision}"
        print(f"{head}  {one.author}{approved}  {one.reason}")


def show(
    name: NameArgument,
    version: Annotated[int | None, typer.Option(min=1, help="Which (default: the one in force).")] = None,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Print the text of a version."""

    async def work(database: Database, _keys: HouseKeys, _settings: Settings) -> tuple[PolicyVersion, ...]:
        return await PolicyVersions(database).history(name)

    found = with_database(config, data, work)
    chosen = [one for one in found if (one.in_force if version is None else one.version == version)]
    if not chosen:
        raise StorageError(f"the database holds no such version of '{name}'")
    print(chosen[0].content, end="")


def approve(name: NameArgument, version: VersionArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """Agree with somebody else's version (needed before it is in force where the settings say `four_eyes: true`)."""

    async def work(database: Database, _keys: HouseKeys, _settings: Settings) -> None:
        await PolicyVersions(database).approve(name, version, actor())

    with_database(config, data, work)
    print(f"{name} version {version} is approved by {actor()}")


def rollback(
    name: NameArgument,
    reason: ReasonOption = "rollback",
    to: Annotated[
        int | None, typer.Option(min=1, help="Which version that was in force once (default: the last one).")
    ] = None,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Put a version in force again that was so before the present one."""

    async def work(database: Database, _keys: HouseKeys, settings: Settings) -> int:
        store = PolicyVersions(database)
        number = await store.way_back(name, to)
        await store.activate(name, number, actor(), reason, four_eyes=settings.four_eyes)
        return number

    print(f"{name} version {with_database(config, data, work)} is in force")


def withdraw(name: NameArgument, reason: ReasonOption, config: ConfigOption = None, data: DataOption = None) -> None:
    """Take a policy out of the database's hands: from then on a file of that name counts, or the tenant's default."""

    async def work(database: Database, _keys: HouseKeys, _settings: Settings) -> None:
        store = PolicyVersions(database)
        if await store.find(name) is None:
            raise StorageError(f"the database holds no version of '{name}' that is in force")
        await store.activate(name, None, actor(), reason, four_eyes=False)

    with_database(config, data, work)
    print(f"{name} is no longer held by the database; its versions stay")


async def _refuse_nobodys(database: Database, name: str) -> None:
    slug = name.partition("/")[0]
    if slug in RESERVED_SLUGS:
        refuse(f"'{slug}' is the operator's and stays a file")
    if await TenantStore(database).find(slug) is None:
        raise UnknownTenantError(f"there is no tenant '{slug}'")


def _refuse_both(settings: Settings, name: str, file: Path) -> None:
    """A policy is a file or the database's, never both."""
    own = settings.policies_folder / f"{name}.yaml"
    if own.is_file() and own.resolve() != file.resolve():
        raise PolicyError(own, None, f"'{name}' is a file here: remove it before the database holds that policy")
