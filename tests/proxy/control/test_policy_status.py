"""`/policy/status`: what is in force, and why a file is not."""

from __future__ import annotations

from pathlib import Path

from detectors.build import build_chain
from detectors.rules import load_signatures
from policies.build import build_actions
from policies.folders import PolicyFolders
from policies.store import PolicyStore
from proxy.control.policy_status import policy_status


async def test_a_broken_file_is_named_with_its_reason_and_what_stays_in_force(tmp_path: Path) -> None:
    store = PolicyStore(PolicyFolders(tmp_path), build_chain(load_signatures()), build_actions(), ())
    (tmp_path / "acme.yaml").write_text("extends: preset/strict\n")
    first = await policy_status(store)
    (tmp_path / "acme.yaml").write_text("extends: preset/strict\nmod: off\n")
    second = await policy_status(store)
    assert (first["ok"], first["failed"]) == (True, [])
    assert second["ok"] is False
    problem = f"{tmp_path / 'acme.yaml'}:2: unknown key 'mod' (did you mean 'mode'?)"
    assert second["failed"] == [{"policy": "acme", "problem": problem}]
    assert second["policies"] == first["policies"]
