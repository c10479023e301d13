"""`make sdk`: clients whose dependencies are not ours, in their own environment, against the running product."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.harness import Product

HERE: Final = Path(__file__).parent
PYTHON: Final = HERE.parents[1] / ".venv-sdk" / "bin" / "python"
POLICY: Final = """
extends: preset/standard
disclose: full
models: {allow: ["demo-*", "claude-*"]}
rules:
  - {id: personal-data, when: {category: pii}, action: mask}
"""
# What these clients would fetch or send by themselves stays away: there is no network in a test.
QUIET: Final = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LANGSMITH_TRACING": "false", "DO_NOT_TRACK": "1"}


def main() -> int:
    """Serve the demo upstream to two tenants, one of which may ask once an hour; return pytest's exit code."""
    with tempfile.TemporaryDirectory(prefix="ps-sdk-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # the engines' account must be able to pass
        with Product(folder / "data", workers=1) as product:
            product.run("tenant", "create", "hasty")
            key = product.run("key", "create", "hasty").stdout.splitlines()[-1]
            product.policy(POLICY + "limits: {requests: 1/h}\n", "hasty")
            product.policy(POLICY)
            told = {"SDK_URL": product.url, "SDK_KEY": product.key, "SDK_HASTY_KEY": key}
            environment = {
                k: v for k, v in os.environ.items() if not k.endswith(("_API_KEY", "_BASE", "_URL", "_PROXY"))
            }
            command = [str(PYTHON), "-m", "pytest", "-q", "-c", str(HERE / "sdk.ini"), str(HERE), *sys.argv[1:]]
            return subprocess.run(command, env={**environment, **QUIET, **told}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
