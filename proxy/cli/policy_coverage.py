"""`promptshield policy coverage`: what of a standard's controls a policy covers."""

from __future__ import annotations

from typing import Annotated

import orjson
import typer

from policies.controls import ControlCoverage, ControlTable, cover, load_controls
from policies.loader import load_preset
from proxy.app import load_detection
from proxy.cli.policy_files import FileArgument, JsonOption, load_named
from proxy.request_reader import CodecReader
from proxy.runtime.processes import run_loop


def run(
    file: FileArgument,
    pack: Annotated[str, typer.Option(help="The pack whose controls are asked for: gdpr, pci-dss ...")],
    json: JsonOption = False,
) -> None:
    """Say which controls of a standard a policy covers, by what it does with the pack's own tests. Exit 1 for gaps."""
    name = f"pack/{pack.removeprefix('pack/')}"
    table = load_controls(name)
    detection = load_detection()
    policy, loaded = load_named(file, detection).policy, load_preset(name)
    covered = run_loop(cover(policy, loaded, table, detection.chain, detection.actions, CodecReader(detection.codecs)))
    print(_as_json(table, covered) if json else _as_text(table, covered))
    raise typer.Exit(1 if any(item.gaps for item in covered) else 0)


def _as_text(table: ControlTable, covered: tuple[ControlCoverage, ...]) -> str:
    lines = [table.title, table.source, ""]
    for item in covered:
        lines.append(f"{'covered' if not item.gaps else 'GAP    '}  {item.control.id}  {item.control.meaning}")
        lines += [f"           by {name}" for name in (*item.control.rules, *item.control.settings)]
        lines += [f"           {gap}" for gap in item.gaps]
    whole = sum(not item.gaps for item in covered)
    lines += ["", f"{whole} of {len(covered)} controls", *(f"not by any policy: {text}" for text in table.outside)]
    return "\n".join(lines)


def _as_json(table: ControlTable, covered: tuple[ControlCoverage, ...]) -> str:
    controls = [
        {"id": item.control.id, "meaning": item.control.meaning, "rules": item.control.rules,
         "settings": item.control.settings, "covered": not item.gaps, "gaps": item.gaps}
        for item in covered
    ]  # fmt: skip
    document = {"title": table.title, "source": table.source, "controls": controls, "outside": table.outside}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
