"""The JSON Schema of policy files, where editors look for it. Apart: commands that need none start faster without."""

from __future__ import annotations

from pathlib import Path

import orjson

from policies.schema import policy_schema


def publish_schema(data: Path) -> None:
    """Write the JSON Schema of policy files where the first line of the templates points editors to."""
    folder = data / "schema"
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / ".policy.schema.json.new"
    unfinished.write_bytes(orjson.dumps(policy_schema(), option=orjson.OPT_INDENT_2))
    unfinished.replace(folder / "policy.schema.json")
