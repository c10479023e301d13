"""What `make test-ops` asks of the machine: Prometheus and the other programs of its packages. Elsewhere nothing is
collected here.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployed.watched import Scene, scene

collect_ignore_glob = [] if os.environ.get("PROMPTSHIELD_TEST_OPS") else ["test_*.py"]


@pytest.fixture(scope="session")
def watched() -> Iterator[Scene]:
    with tempfile.TemporaryDirectory(prefix="ps-ops-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # the engines' account must be able to pass
        with scene(folder) as found:
            yield found
