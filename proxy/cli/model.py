"""`promptshield model`: what a tenant's labels teach, as a head of its own on the linear model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from detectors.errors import StorageError
from detectors.models.classifier_model import load_classifier
from detectors.models.fit_head import FEWEST, Fitted, fit_head
from detectors.models.tenant_head import head_of, pack
from detectors.models.trial import Trial
from detectors.types import Origin
from proxy.additions.head_files import HeadFiles, KeptHead
from proxy.additions.labelled_texts import LabelledText, Told, examples, of_signatures, told_by_decisions, told_by_file
from proxy.app import Detection, load_detection
from proxy.cli.common import ConfigOption, DataOption, actor, find_tenant, progress, with_database
from proxy.rescanning import Archive
from proxy.settings import Settings
from storage.accounts.admin_audit import AdminAudit
from storage.keys.data_keys import DataKeys
from storage.keys.encryption import key_ring_source
from storage.keys.house_keys import HouseKeys
from storage.postgres import Database

app = typer.Typer(no_args_is_help=True)
TenantOption = Annotated[str, typer.Option(help="Whose.")]
_ORIGINS = (Origin.USER, Origin.TOOL)


@app.command()
def fit(
    tenant: TenantOption,
    files: Annotated[list[Path] | None, typer.Option("--labelled", help="More of its texts: JSON lines.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how it would do.")] = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Fit a tenant's head to its labelled decisions; in force within seconds if it does better than none."""
    more = [text for file in files or () for text in told_by_file(file).texts]
    detection = load_detection()

    async def told(database: Database, _keys: HouseKeys, settings: Settings) -> tuple[int, Told]:
        tenant_id = (await find_tenant(database, tenant)).id
        data_keys = DataKeys(database, key_ring_source(settings.keys_folder))
        return tenant_id, await told_by_decisions(Archive(database, data_keys, tenant_id, actor()), detection)

    tenant_id, found = with_database(config, data, told)
    if found.decisions:
        progress(f"{found.decisions} labelled decisions, {found.readable} of them with their text")
    fitted = _fit([*found.texts, *more], detection)
    for origin, one in fitted.items():
        print("\n".join(_lines(origin, one.trial)))
    good = {origin: one for origin, one in fitted.items() if not one.trial.objection}
    if not good:
        raise StorageError("no head was put in force")
    if dry_run:
        print("nothing was changed")
        return
    counts = {str(origin): one.trial.attacks + one.trial.benign for origin, one in good.items()}
    facts = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "by": actor(), "texts": counts}
    head = head_of({origin: one.weights for origin, one in good.items()}, load_classifier().revision, facts)

    async def keep(database: Database, _keys: HouseKeys, settings: Settings) -> int:
        version = HeadFiles(settings.heads_folder).keep(tenant_id, pack(head))
        said = {"version": version, "revision": head.revision, "texts": counts}
        await AdminAudit(database).add(actor(), "model.fit", tenant_id, tenant, said)
        return version

    print(f"version {with_database(config, data, keep)} of {tenant}'s head is in force")


@app.command("list")
def list_(tenant: TenantOption, config: ConfigOption = None, data: DataOption = None) -> None:
    """List the versions of a tenant's head, the newest first."""

    async def work(database: Database, _keys: HouseKeys, settings: Settings) -> tuple[KeptHead, ...]:
        return HeadFiles(settings.heads_folder).kept((await find_tenant(database, tenant)).id)

    kept = with_database(config, data, work)
    made_for = load_classifier().revision
    in_force = _in_force(kept, made_for)
    for one in kept:
        print(_as_line(one, made_for, in_force=one.version == in_force))
    if not kept:
        print("none")


@app.command()
def revoke(
    tenant: TenantOption,
    version: Annotated[int | None, typer.Option(help="Which (default: the one in force).")] = None,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Put a version out of force for good; the newest before it takes its place, or what ships."""

    async def work(database: Database, _keys: HouseKeys, settings: Settings) -> int:
        files, tenant_id = HeadFiles(settings.heads_folder), (await find_tenant(database, tenant)).id
        number = version if version is not None else _in_force(files.kept(tenant_id), load_classifier().revision)
        if number is None:
            raise StorageError(f"no head of {tenant} is in force")
        files.revoke(tenant_id, number)
        await AdminAudit(database).add(actor(), "model.revoke", tenant_id, tenant, {"version": number})
        return number

    print(f"version {with_database(config, data, work)} is revoked")


def _in_force(kept: Sequence[KeptHead], made_for: str) -> int | None:
    """Return the version that workers use: the newest that is neither revoked, nor damaged, nor for other weights."""
    usable = (one for one in kept if not one.revoked and one.head is not None and one.head.made_for == made_for)
    return next((one.version for one in usable), None)


def _fit(texts: Sequence[LabelledText], detection: Detection) -> dict[Origin, Fitted]:
    """Fit every origin that has enough texts. Raises StorageError where none has."""
    fitted: dict[Origin, Fitted] = {}
    model, counts = load_classifier(), list[str]()
    for origin in _ORIGINS:
        own = examples(texts, detection.views, origin)
        counts.append(f"{len(own)} of {'users' if origin is Origin.USER else 'tools and documents'}")
        if len(own) >= FEWEST:
            others = of_signatures(detection.rules, detection.views, origin)
            say = lambda line, origin=origin: progress(f"{origin}: {line}")  # noqa: E731
            fitted[origin] = fit_head(model.models[origin], model.scales[origin], own, others, say)
    if not fitted:
        raise StorageError(
            f"{', '.join(counts)} are labelled and can be read, and it takes {FEWEST}: docs/detectors.md"
        )
    return fitted


def _lines(origin: Origin, trial: Trial) -> Iterator[str]:
    yield f"{origin}: on {trial.attacks + trial.benign} labelled texts, each tried with a head that has not seen it"
    if trial.attacks:
        yield f"  attacks caught       {trial.caught[0]} -> {trial.caught[1]} of {trial.attacks}"
    if trial.benign:
        yield f"  false alarms         {trial.alarms[0]} -> {trial.alarms[1]} of {trial.benign}"
    yield f"  log loss             {trial.loss[0]:.3f} -> {trial.loss[1]:.3f}"
    seen = f"{trial.seen[0]} -> {trial.seen[1]}"
    yield f"  known attacks seen   {seen}, new false alarms {trial.strayed} of {trial.quiet} known benign texts"
    if trial.objection:
        yield f"  not used: {trial.objection}"


def _as_line(one: KeptHead, made_for: str, *, in_force: bool) -> str:
    void = one.head is None or one.head.made_for != made_for
    state = "in force" if in_force else "revoked" if one.revoked else "void" if void else "superseded"
    if one.head is None:
        return f"{one.version:>4}  {state:<10}  {one.problem}"
    facts = one.head.facts
    texts = ", ".join(f"{count} of {origin}" for origin, count in dict(facts.get("texts", {})).items())
    made = f"{facts.get('at', '')}  {one.head.revision}  {texts}  (by {facts.get('by', '')})"
    return f"{one.version:>4}  {state:<10}  {made}"
