"""`promptshield signatures`: check, test, list, count and sign signatures, without a server."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import orjson
import typer

from detectors.build import build_views
from detectors.errors import SignatureError
from detectors.packs import failed_examples, load_pack
from detectors.rules import RuleSet, Signature, load_signatures
from detectors.signature_report import LabelledText, report_of
from detectors.signature_scan import SignatureScan
from detectors.types import ATTACK, Category, Origin
from proxy.cli.common import ConfigOption, DataOption
from proxy.settings import load_settings
from storage.chains.signing import SigningKey
from storage.keys.house_keys import open_house_keys
from storage.pack_manifest import sign_pack

app = typer.Typer(no_args_is_help=True)
FolderOption = Annotated[list[Path] | None, typer.Option("--folder", help="Folders of your own signatures.")]


@app.command()
def check(folders: Annotated[list[Path], typer.Argument(help="Folders with *.yaml of your own.")]) -> None:
    """Hold folders of your own signatures to every gate; print the first problem of each with file and line."""
    views, problems = build_views(), 0
    taken: set[str] = set()
    for folder, apart in _with_tenants(folders):
        try:
            pack = load_pack(folder, views, taken)
        except SignatureError as exc:
            print(exc)
            problems += 1
            continue
        if pack is None:
            print(f"{folder}: holds no signatures")
            problems += 1
            continue
        taken |= frozenset() if apart else pack.ids  # two tenants may have an id each
        print(f"{folder}: ok ({len(pack.ids)} signatures, {pack.revision})")
    raise typer.Exit(1 if problems else 0)


def _with_tenants(folders: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """Yield each folder, and behind it those in it, which are apart: an installation's holds its tenants'."""
    for folder in folders:
        inner = sorted(each for each in folder.glob("[!.]*") if each.is_dir())
        if not inner or any(folder.glob("*.yaml")):
            yield folder, False
        yield from ((each, True) for each in inner)


@app.command("test")
def test_(folder: FolderOption = None) -> None:  # noqa: PT028 - a command, no test
    """Run the examples of the shipped signatures, or of your own, through all readings of a text."""
    views, failed, examples = build_views(), 0, 0
    for signatures, scan in _sets(folder):
        for signature in signatures:
            examples += len(signature.examples.match) + len(signature.examples.no_match)
            for (key, number), problem in failed_examples(signature, scan, views):
                failed += 1
                print(f"FAIL  {signature.id}  {key} {int(number) + 1}: {problem}")
    print(f"{examples} examples, {failed} failed")
    raise typer.Exit(1 if failed else 0)


@app.command("list")
def list_(
    folder: FolderOption = None,
    category: Annotated[Category | None, typer.Option(help="Only this category.")] = None,
    level: Annotated[int, typer.Option(help="Only up to this level.", min=1, max=4)] = 4,
) -> None:
    """List signatures: id, category, level, confidence, severity, title."""
    for signatures, _ in _sets(folder, compiled=False):
        for s in signatures:
            if s.level <= level and category in {None, s.category}:
                severity = s.severity.name.lower()
                print(f"{s.id:<12} {s.category:<18} {s.level}  {s.confidence:.2f}  {severity:<8}  {s.title}")


@app.command()
def stats(
    texts: Annotated[
        list[Path], typer.Argument(help='JSON lines with "text", "label" (1: attack), "origin"; .gz too.')
    ],
    folder: FolderOption = None,
    idle: Annotated[bool, typer.Option("--idle", help="Exit 1 if a signature finds no attack alone.")] = False,
) -> None:
    """Count, over labelled texts, what each attack signature finds, finds alone, and flags wrongly."""
    own = [signature for signatures, _ in _sets(folder, compiled=False) for signature in signatures]
    report = report_of([s for s in own if s.category in ATTACK], _labelled(texts), build_views())
    print(f"{'id':<12} {'found':>6} {'alone':>6} {'wrong':>6}  title")
    for worth in sorted(report.worths, key=lambda w: (w.alone, w.found, w.signature.id)):
        mark = "  (idle)" if worth.idle else ""
        numbers = f"{worth.found:>6} {worth.alone:>6} {worth.wrong:>6}"
        print(f"{worth.signature.id:<12} {numbers}  {worth.signature.title}{mark}")
    print(f"attacks: {report.caught} of {report.attacks} found; benign: {report.flagged} of {report.benign} flagged")
    unused = [worth.signature.id for worth in report.worths if worth.idle]
    print(f"{len(unused)} of {len(report.worths)} find nothing alone: {', '.join(unused) or 'none'}")
    raise typer.Exit(1 if idle and unused else 0)


@app.command()
def sign(
    folder: Annotated[Path, typer.Argument(help="A folder with *.yaml of your own.")],
    version: Annotated[int, typer.Option(help="Grows with every version; older ones are refused.", min=1)],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Check a folder and sign it with the house's key; print the public key for `keys/pack-signers`."""
    if load_pack(folder, build_views()) is None:
        raise SignatureError(folder, None, "holds no signatures")
    key = SigningKey(open_house_keys(load_settings(config, data=data).keys_folder).signing)
    print(f"{sign_pack(folder, version, key)}: version {version}, signed by {key.public.hex()}")


def _sets(
    folders: Iterable[Path] | None, *, compiled: bool = True
) -> Iterator[tuple[tuple[Signature, ...], SignatureScan]]:
    """Yield the signatures of each folder, or the shipped ones. Raises SignatureError."""
    if not folders:
        rules = load_signatures()
        yield rules.of(Category), SignatureScan(rules.of(Category) if compiled else ())
        return
    views = build_views()
    for folder in folders:
        pack = load_pack(folder, views)
        if pack is None:
            raise SignatureError(folder, None, "holds no signatures")
        yield RuleSet(pack.signatures).of(Category), pack


def _labelled(files: Iterable[Path]) -> Iterator[LabelledText]:
    """Read labelled texts; `channel` (user, document, tool) is another name for `origin`. Raises SignatureError."""
    for file in files:
        try:
            raw = file.read_bytes()
            lines = (gzip.decompress(raw) if file.suffix == ".gz" else raw).splitlines()
        except OSError as exc:
            raise SignatureError(file, None, f"cannot be read: {exc.strerror}") from exc
        for number, line in enumerate(lines, start=1):
            try:
                row = orjson.loads(line)
                origin = Origin.parse(row.get("origin") or row.get("channel") or "user")
                yield LabelledText(str(row["text"]), origin, bool(row["label"]))
            except (ValueError, KeyError, AttributeError, TypeError) as exc:
                raise SignatureError(file, number, 'expected {"text": ..., "label": 0 or 1, "origin": ...}') from exc
