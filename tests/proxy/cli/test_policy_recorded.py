"""By what recorded decisions may have been decided, as the installation's files say."""

from __future__ import annotations

from pathlib import Path

from proxy.app import load_detection, policy_store
from proxy.cli.policy_recorded import policies_in_force
from proxy.held_policies import held_folder
from proxy.runtime.processes import run_loop
from proxy.settings import load_settings


def test_a_tenants_policies_are_read_as_workers_read_them(tmp_path: Path) -> None:
    settings, detection = load_settings(None, data=tmp_path), load_detection()
    own, held = settings.policies_folder, held_folder(settings)
    for file, text in (
        (own / "platform.yaml", "ceilings: {limits: {requests: 600/min}}\n"),
        (own / "default.yaml", "extends: preset/strict\n"),
        (own / "globex.yaml", "extends: preset/strict\n"),
        (own / "acme" / "broken.yaml", "extends: preset/none\n"),
        (own / "_common" / "house.yaml", "extends: preset/standard\n"),
        (held / "acme.yaml", "extends: _common/house.yaml\n"),
        (held / "acme" / "bot.yaml", "extends: preset/monitor\n"),
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    store = policy_store(settings, detection)
    run_loop(store.reload())
    wanted = {store.policies[name].revision for name in ("default", "acme", "acme/bot")}
    assert {policy.revision for policy in policies_in_force(None, tmp_path, "acme", detection)} == wanted


def test_where_there_are_no_files_there_are_no_policies(tmp_path: Path) -> None:
    assert policies_in_force(None, tmp_path / "none", "acme", load_detection()) == ()
