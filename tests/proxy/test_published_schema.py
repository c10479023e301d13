"""Editors find the schema of policy files where the first line of the templates points them to."""

from __future__ import annotations

from pathlib import Path

import orjson

from policies.layers import PRESETS
from proxy.published_schema import publish_schema

TEMPLATES = PRESETS.parent / "templates"


def test_the_templates_first_line_points_to_it(tmp_path: Path) -> None:
    publish_schema(tmp_path)

    for template in TEMPLATES.glob("*.yaml"):
        pointed = template.read_text().splitlines()[0].partition("$schema=")[2]
        schema = orjson.loads((tmp_path / "policies" / pointed).resolve().read_bytes())
        assert {"rules", "limits", "extends"} <= schema["properties"].keys()
