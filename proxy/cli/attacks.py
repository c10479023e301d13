"""`promptshield attacks`: attacks that the operator knows, so that what says much the same is found."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from detectors.builtin.classifier import without_blobs
from detectors.errors import StorageError
from detectors.models.classifier_model import KINDS, best, load_classifier
from detectors.models.second_look import load_second_look
from detectors.normalise import fold
from detectors.types import Category, Origin
from proxy.cli.common import ConfigOption, DataOption, actor, with_database
from storage.attacks import AttackStore, KnownAttack

app = typer.Typer(no_args_is_help=True)
_OFF = "the database has no pgvector: CREATE EXTENSION vector, as a superuser, turns known attacks on"
_ORIGINS = (Origin.USER, Origin.TOOL)


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="The attack's text; - is standard input.")],
    note: Annotated[str, typer.Option(help="What it is, for those who ask later. Not its text.")],
    category: Annotated[str, typer.Option(help=f"One of {', '.join(KINDS)}.")] = Category.PROMPT_INJECTION,
    origin: Annotated[str, typer.Option(help="Who would write it: user or tool.")] = Origin.USER,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Know an attack from now on. Its vector is kept, not its text; of a long text that of its most suspicious part."""
    if category not in KINDS:
        raise typer.BadParameter(f"one of {', '.join(KINDS)}", param_hint="--category")
    if origin not in _ORIGINS:
        raise typer.BadParameter("user or tool", param_hint="--origin")
    vector, model, doubted = _read(_text(file), Origin(origin))
    number = with_database(
        config,
        data,
        lambda database, _keys, _settings: AttackStore(database).add(vector, model, Category(category), note, actor()),
    )
    print(f"attack {number} is known")
    if not doubted:
        print(
            "the linear model takes this text for harmless, and only what it doubts is compared: "
            "write a signature as well (docs/signatures.md)",
            file=sys.stderr,
        )


@app.command("list")
def list_(config: ConfigOption = None, data: DataOption = None) -> None:
    """List the attacks that operators added."""
    attacks = with_database(config, data, lambda database, _keys, _settings: AttackStore(database).list())
    if attacks is None:
        raise StorageError(_OFF)
    model = load_second_look().encoder.revision
    for attack in attacks:
        print(_as_line(attack, model))
    if not attacks:
        print("none")


@app.command()
def remove(
    number: Annotated[int, typer.Argument(help="Its number, as `list` shows it.")],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Forget an attack."""
    gone = with_database(config, data, lambda database, _keys, _settings: AttackStore(database).remove(number, actor()))
    if not gone:
        raise StorageError(f"no attack {number} is known")
    print("removed")


def _text(file: Path) -> str:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise typer.BadParameter(f"cannot read {file}: {exc}") from None
    if not text.strip():
        raise typer.BadParameter("there is no text")
    return text


def _read(text: str, origin: Origin) -> tuple[list[float], str, bool]:
    """Return the vector, the model whose vector it is, and whether the linear model is in doubt about the text."""
    linear, second = load_classifier(), load_second_look()
    folded = without_blobs(fold(text))
    windows = linear.models[origin].windows([folded])[0]
    reading = second.encoder.read(second.tokens.windows(folded, windows, origin))
    vector: list[float] = reading.vectors[int(reading.attack.argmax())].tolist()
    return vector, second.encoder.revision, best(windows).score >= linear.scales[origin].doubt


def _as_line(attack: KnownAttack, model: str) -> str:
    stale = "" if attack.model == model else "  made by another model, not looked for: remove it and add it again"
    made = f"{attack.created_at:%Y-%m-%d %H:%M}"
    return f"{attack.id}  {made}  {attack.category}  {attack.note}  (by {attack.author}){stale}"
