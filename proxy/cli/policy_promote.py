"""`promptshield policy promote`: a version, or a file's candidate, takes its place if yesterday's traffic agrees."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from detectors.documents import read_document
from detectors.errors import PolicyError, StorageError
from policies.layers import Library
from policies.loader import load_policy_text
from policies.promotion import Condition, parse_conditions
from policies.replay import Tally
from policies.schema import PolicyDocument
from policies.types import Policy
from proxy.app import Detection, load_detection
from proxy.cli.common import ConfigOption, DataOption, actor, with_database
from proxy.cli.policy_files import installed_signatures, load_named, policy_id, refuse
from proxy.cli.policy_fmt import read_policy, replace_policy
from proxy.cli.policy_recorded import SinceOption, policies_in_force, traffic
from proxy.cli.policy_versions import ReasonOption, checked
from proxy.held_policies import library_of
from proxy.recorded_traffic import tally_of
from proxy.settings import Settings, load_settings
from storage.keys.house_keys import HouseKeys
from storage.policy_versions import PolicyVersions
from storage.postgres import Database


def promote(
    target: Annotated[str, typer.Argument(help="A policy of the database by name, or a file that has a candidate.")],
    condition: Annotated[
        str | None, typer.Option("--if", help="Only if a replay says so: 'new_blocks < 0.1% and undecidable < 1%'.")
    ] = None,
    since: SinceOption = "7d",
    version: Annotated[int | None, typer.Option(min=1, help="Which version (default: the newest).")] = None,
    reason: ReasonOption = "promoted",
    tenant: Annotated[str | None, typer.Option(help="Whose decisions (default: the policy's name).")] = None,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Put a version in force, or a candidate in the place of its policy. Exit 1 if a condition does not hold."""
    try:
        wanted = () if condition is None else parse_conditions(condition)
    except ValueError as exc:
        refuse(f"--if: {exc}")
    detection = load_detection()
    if target.endswith(".yaml"):
        _promote_file(Path(target), wanted, since, tenant, detection, config, data)
        return
    known = policies_in_force(config, data, tenant or target.partition("/")[0], detection) if wanted else ()

    async def work(database: Database, _keys: HouseKeys, settings: Settings) -> int:
        store = PolicyVersions(database)
        history = await store.history(target)
        chosen = [one for one in history if version in {None, one.version}][-1:]
        if not chosen:
            raise StorageError(f"the database holds no such version of '{target}'")
        if (settings.policies_folder / f"{target}.yaml").is_file():
            raise StorageError(f"'{target}' is a file here: remove it before the database holds that policy")
        file = settings.policies_folder / f"{target}@{chosen[0].version}.yaml"  # only to name it
        library = library_of(settings)
        policy = load_policy_text(chosen[0].content, file, target, library=library).policy
        await _hold(policy, wanted, target, tenant, since, detection, known, database)
        await store.activate(target, chosen[0].version, actor(), reason, four_eyes=settings.four_eyes)
        return chosen[0].version

    print(f"{target} version {with_database(config, data, work)} is in force, everywhere within two seconds")


def _promote_file(
    file: Path,
    wanted: tuple[Condition, ...],
    since: str,
    tenant: str | None,
    detection: Detection,
    config: Path | None,
    data: Path | None,
) -> None:
    document = read_document(file, PolicyError)
    named = document.validate(PolicyDocument).candidate
    candidate = load_named(file, detection).policy.candidate
    if named is None or candidate is None:
        raise PolicyError(file, None, "has no candidate to promote")
    source = Library().find(
        document, named.policy, ("candidate", "policy"), tenant or policy_id(file).partition("/")[0]
    )
    name, text = policy_id(file), read_policy(source)
    if load_policy_text(text, file, name).policy.revision != candidate.policy.revision:
        raise PolicyError(file, None, f"would look for other words than {source}: put its word files beside it first")
    signatures = installed_signatures(load_settings(config, data=data), detection, tenant or name)
    checked(load_named(source, detection).looking_for(signatures), detection)
    if wanted:
        known = policies_in_force(config, data, tenant or policy_id(file).partition("/")[0], detection)

        async def work(database: Database, _keys: HouseKeys, _settings: Settings) -> None:
            await _hold(candidate.policy, wanted, policy_id(file), tenant, since, detection, known, database)

        with_database(config, data, work)
    previous = file.with_name(f".{file.name}.previous")
    replace_policy(previous, read_policy(file))
    replace_policy(file, text)
    print(f"{file} is now what {source} says; the text before: {previous}")


async def _hold(
    policy: Policy,
    wanted: tuple[Condition, ...],
    name: str,
    tenant: str | None,
    since: str,
    detection: Detection,
    known: Sequence[Policy],
    database: Database,
) -> None:
    """Hold a policy against its conditions. Exits with 1 where one does not hold, or where there is no traffic."""
    if not wanted:
        return
    slug, _, app = name.partition("/")
    recorded = traffic(Path(f"{slug}.yaml"), tenant, app or None, since)
    tally = await tally_of(policy, detection, recorded, database, known=known)
    print(f"replayed {tally.judged} decisions since {since}")
    if not tally.judged:
        print("there is nothing to judge by: not promoted")
        raise typer.Exit(1)
    if not tally.decided:
        print("none of them can be decided again")
    held = [_told(condition, tally) for condition in wanted]
    if not all(held):
        print("not promoted")
        raise typer.Exit(1)


def _told(condition: Condition, tally: Tally) -> bool:
    held, unit = condition.holds(tally), "%" if condition.percent else ""
    print(f"  {condition.source}: {condition.value(tally):.4g}{unit}, {'holds' if held else 'does not hold'}")
    return held
