"""`promptshield policy replay` and `calibrate`: a policy held against recorded traffic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final

import orjson
import typer

from detectors.errors import StorageError
from policies.calibration import Advice, Calibration, fewest_decisions
from policies.judge_estimate import JudgeEstimate
from policies.recorded import scores_of
from policies.replay import Tally
from policies.types import Policy
from proxy.additions.additions import additions
from proxy.app import load_detection
from proxy.cli.common import ConfigOption, DataOption, actor, find_tenant, with_database, with_reading_database
from proxy.cli.policy_files import FileArgument, JsonOption, load_named, refuse
from proxy.cli.policy_recorded import AppOption, SinceOption, TenantOption, policies_in_force, traffic
from proxy.recorded_traffic import Traffic, tally_of
from proxy.rescanning import Archive, Rescan
from proxy.settings import Settings
from storage.keys.data_keys import DataKeys
from storage.keys.encryption import key_ring_source
from storage.keys.house_keys import HouseKeys
from storage.postgres import Database

_CHANGES: Final = ("newly_blocked", "newly_allowed")
_SAME: Final = 1e-9


def replay(
    file: FileArgument,
    since: SinceOption = "7d",
    tenant: TenantOption = None,
    app: AppOption = None,
    samples: Annotated[int, typer.Option(min=0, max=100, help="Decision ids to show of each kind of change.")] = 3,
    rescan: Annotated[bool, typer.Option("--rescan", help="Scan kept bodies again: changed signatures count.")] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Say what a policy would have done to recorded traffic: newly blocked, newly allowed, undecidable."""
    detection = load_detection()
    policy = load_named(file, detection).policy
    wanted = traffic(file, tenant, app, since)
    in_force = policies_in_force(config, data, wanted.tenant, detection)

    async def scanned(database: Database, _keys: HouseKeys, settings: Settings) -> Tally:
        data_keys = DataKeys(database, key_ring_source(settings.keys_folder))
        archive = Archive(database, data_keys, (await find_tenant(database, wanted.tenant)).id, actor())
        added = additions(settings, detection.views)
        added.packs.load()
        added.heads.look()
        again = Rescan(archive, detection, added.lexicon(policy.lexicon, wanted.tenant, archive.tenant_id))
        return await tally_of(policy, detection, wanted, database, samples, again, in_force)

    if rescan:  # which the admin audit notes, so it cannot be a replica
        tally = with_database(config, data, scanned)
    else:

        async def replayed(database: Database) -> Tally:
            return await tally_of(policy, detection, wanted, database, samples, known=in_force)

        tally = with_reading_database(config, data, replayed)
    print(_as_json(policy, wanted, tally) if json else "\n".join(_lines(policy, wanted, tally)))


def calibrate(
    file: FileArgument,
    target_fpr: Annotated[str, typer.Option(help="How many false alarms are fine, of all requests: 0.2%.")] = "0.2%",
    since: SinceOption = "30d",
    tenant: TenantOption = None,
    app: AppOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Advise thresholds by a tenant's own recorded scores, with their confidence interval, as a patch."""
    target = read_share(target_fpr)
    detection = load_detection()
    policy = load_named(file, detection).policy
    wanted = traffic(file, tenant, app, since)

    async def work(database: Database) -> Calibration:
        counted = Calibration(policy)
        async for recorded in wanted.rows(database):
            if recorded.coverage != "{}":
                counted.take(scores_of(recorded.scores) if recorded.scores != "[]" else ())
        return counted

    counted = with_reading_database(config, data, work)
    need = fewest_decisions(target)
    if counted.decisions < need:
        raise StorageError(f"{counted.decisions} decisions prove no rate below {100 * target:g} %: it takes {need}")
    advice = counted.advise(target)
    if json:
        print(orjson.dumps([_advice_document(one) for one in advice], option=orjson.OPT_INDENT_2).decode())
    else:
        print("\n".join(_patch(policy, counted, advice, target)))


def read_share(text: str) -> float:
    """Read `0.2%` or `0.002`. Exits with 2 for anything that is no share between 0 and 1."""
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 < share < 1:
        refuse(f"'{text}' is no share such as 0.2%")
    return share


def _lines(policy: Policy, wanted: Traffic, tally: Tally) -> Iterator[str]:
    whose = f"{tally.judged} decisions of {wanted.tenant} since {wanted.since:%F %R} UTC"
    yield f"{policy.id}@{policy.revision} over {whose}"
    for what in _CHANGES:
        count = getattr(tally, what)
        yield f"  {what.replace('_', ' '):15} {count:8}  {100 * tally.share(count):.3f} %"
    yield f"  {'other changes':15} {tally.other_changes:8}  {100 * tally.share(tally.other_changes):.3f} %"
    yield f"  {'undecidable':15} {tally.undecidable:8}  {100 * tally.share(tally.undecidable):.3f} %"
    for doubt, count in tally.doubts.most_common():
        yield f"      {count} because {doubt}"
    if tally.rescanned:
        yield f"  {'scanned again':15} {tally.rescanned:8}  their bodies are kept"
    if tally.judging is not None:
        yield _judging_line(tally, tally.judging)
    if tally.unjudged:
        yield f"  {'not judged':15} {tally.unjudged:8}  refused before anybody looked"
    for (what, app, rule), count in tally.by.most_common():
        yield f"{what.replace('_', ' ')}  {app}  {f'rule {rule}' if rule else 'no rule'}  {count}"
        yield from (f"    {decision}" for decision in tally.samples[what, app, rule])


def _judging_line(tally: Tally, judging: JudgeEstimate) -> str:
    count, each = round(judging.decisions), judging.usd_each
    price = "no decision of it was judged so far, so nobody knows the price"
    if each is not None:
        price = f"about {judging.usd:.2f} USD, at {each:.5f} USD a judged decision so far"
    return f"  {'for judges':15} {count:8}  {100 * tally.share(count):.3f} %  {price}"


def _as_json(policy: Policy, wanted: Traffic, tally: Tally) -> str:
    groups = [
        {"change": what, "app": app, "rule": rule, "count": count, "decisions": tally.samples[what, app, rule]}
        for (what, app, rule), count in tally.by.most_common()
    ]
    document: dict[str, Any] = {
        "policy": policy.id, "policy_revision": policy.revision, "tenant": wanted.tenant, "since": wanted.since,
        "decisions": tally.decisions, "judged": tally.judged, "newly_blocked": tally.newly_blocked,
        "newly_allowed": tally.newly_allowed, "other_changes": tally.other_changes,
        "undecidable": tally.undecidable, "doubts": {str(doubt): count for doubt, count in tally.doubts.items()},
        "rescanned": tally.rescanned,
        "changes": groups,
        "for_judges": None if tally.judging is None else round(tally.judging.decisions),
        "judges_usd": None if tally.judging is None else tally.judging.usd,
    }  # fmt: skip
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


def _patch(policy: Policy, counted: Calibration, advice: tuple[Advice, ...], target: float) -> Iterator[str]:
    basis = f"{counted.decisions} decisions, all taken for benign; target {100 * target:g} %"
    yield f"# {policy.id}@{policy.revision}: {basis}"
    moved = False
    for rule, one in zip(counted.rules, advice, strict=True):
        yield f"# {rule.id} at {one.present:g}: {_rate(one.present_rate)}"
        if one.advised is None:
            yield f"# {rule.id}: no threshold keeps to the target, at 1 it is {_rate(one.advised_rate)}"
        elif abs(one.advised - one.present) < _SAME:
            yield f"# {rule.id} stays"
        else:
            if not moved:
                yield "rules:"
            moved = True
            yield f"  # {rule.id} at {one.advised:g}: {_rate(one.advised_rate)}"
            yield f"  - id: {rule.id}"
            yield f"    when: {_when(rule.match, one.advised)}"
            yield f"    action: {rule.action}"
    if not moved:
        yield "# nothing to change"


def _when(match: Any, threshold: float) -> str:
    parts = [
        f"{name}: [{', '.join(sorted(map(str, values)))}]"
        for name in ("category", "origin", "rule", "tag", "kind")
        if (values := getattr(match, name))
    ]
    parts += [f"direction: {match.direction}"] if match.direction is not None else []
    return f"{{{', '.join([*parts, f'min_confidence: {threshold:g}'])}}}"


def _rate(rate: Any) -> str:
    low, high = rate.interval
    return f"{100 * rate.observed:.3f} % ({rate.hits} of {rate.trials}; 95 %: {100 * low:.3f} to {100 * high:.3f} %)"


def _advice_document(one: Advice) -> dict[str, Any]:
    return {
        "rule": one.rule, "present": one.present, "advised": one.advised,
        "present_rate": one.present_rate.observed, "present_interval": one.present_rate.interval,
        "advised_rate": one.advised_rate.observed, "advised_interval": one.advised_rate.interval,
        "decisions": one.advised_rate.trials,
    }  # fmt: skip
