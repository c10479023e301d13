"""What somebody at the console sees and does, in a real browser in front of the running product."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.deployed.test_files import ROOT, TOOLS
from tests.harness import Product

PICTURES: Final = ROOT / "docs" / "pictures"
LARGEST: Final = 150 << 10  # bytes of a picture in docs/


@pytest.fixture(scope="module")
def seen() -> Iterator[dict[str, Any]]:
    """What the browser saw; the pictures it took lie in `pictures`."""
    with tempfile.TemporaryDirectory(prefix="ps-console-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # the engines' account must be able to pass
        (folder / "pictures").mkdir()
        with Product(folder / "data", workers=1) as product:
            yield browsed(product, folder)


def browsed(product: Product, folder: Path) -> dict[str, Any]:
    password = re.search(r"[a-z0-9]{5}(?:-[a-z0-9]{5}){3}", product.run("admin", "reset-password", "admin").stdout)
    assert password is not None
    orders = folder / "orders.json"
    orders.write_text(
        json.dumps({
            "url": product.control_url, "proxy": product.url, "name": "admin", "password": password.group(),
            "pictures": str(folder / "pictures"),
        })
    )  # fmt: skip
    script = Path(__file__).with_name("console_browser.py")
    done = subprocess.run([TOOLS / "python", script, orders], capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen | {"pictures": {file.name: file.stat().st_size for file in (folder / "pictures").iterdir()}}


def test_somebody_who_was_on_the_way_to_a_page_gets_there_after_the_second_factor(seen: dict[str, Any]) -> None:
    assert seen["came_back_to"] == "/console/decisions"


def test_a_key_is_shown_once(seen: dict[str, Any]) -> None:
    assert seen["key_is_shown_again"] is False


def test_a_block_says_why(seen: dict[str, Any]) -> None:
    assert "the action is block" in seen["why"][0]
    assert any("PS-INJ-001" in step and "asks for block" in step for step in seen["why"])


def test_a_false_positive_becomes_an_exclusion_with_a_test_and_passes(seen: dict[str, Any]) -> None:
    assert "character by character" in seen["wrong_text_is_refused"]
    assert "exclusions:" in seen["draft"]
    assert "tests:" in seen["draft"]
    assert seen["replay"]["Newly allowed"] == "1"
    assert seen["replay"]["Newly stopped"] == "0"
    assert seen["status_after"] == 200


def test_errors_stand_where_they_are_and_keep_what_was_typed(seen: dict[str, Any]) -> None:
    assert seen["error_beside_field"]
    assert seen["typed_is_kept"] == "Acme!"
    assert "did you mean 'mode'?" in seen["compiler"]
    assert seen["compiler"].startswith(f"line {seen['marked_line']}")
    assert seen["editor_keeps"]


def test_the_playground_shows_the_text_behind_an_encoding(seen: dict[str, Any]) -> None:
    assert any("base64" in view for view in seen["views"])


def test_keys_reach_everything_and_are_trapped_nowhere(seen: dict[str, Any]) -> None:
    assert seen["first_stop"] == "Skip to the content"
    assert seen["slash_goes_to"] == "find"
    assert seen["stops"] > 40


def test_forms_work_without_the_script(seen: dict[str, Any]) -> None:
    assert any("noted without a script" in event for event in seen["timeline"])


def test_the_list_refreshes_itself_until_it_is_told_not_to_or_nobody_is_there(seen: dict[str, Any]) -> None:
    assert seen["switch"] == "Paused"
    assert seen["left_alone"] == "Waiting for you"


def test_the_browser_has_nothing_to_complain_of(seen: dict[str, Any]) -> None:
    assert seen["complaints"] == []


def test_every_text_has_the_contrast_of_wcag_aa_in_both_schemes(seen: dict[str, Any]) -> None:
    assert len(seen["contrast"]) > 40
    assert {where: worst for where, worst in seen["contrast"].items() if worst[0] < 1} == {}


def test_nothing_sticks_out_of_a_phone(seen: dict[str, Any]) -> None:
    assert len(seen["overflow"]) > 30
    assert {where: wide for where, wide in seen["overflow"].items() if wide > 0} == {}


def test_the_pictures_of_the_documents_are_those_that_it_takes_and_small(seen: dict[str, Any]) -> None:
    shown = set(re.findall(r"pictures/(console-[a-z-]+\.png)", (ROOT / "docs" / "console.md").read_text()))
    assert shown == set(seen["pictures"])
    assert {file.name for file in PICTURES.glob("console-*.png")} == shown
    assert all(file.stat().st_size < LARGEST for file in PICTURES.glob("console-*.png"))


def main() -> None:
    """Take the pictures of docs/console.md anew: python -m tests.deployed.test_console."""
    with tempfile.TemporaryDirectory(prefix="ps-console-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "pictures").mkdir()
        with Product(folder / "data", workers=1) as product:
            browsed(product, folder)
        for file in (folder / "pictures").iterdir():
            shutil.copy(file, PICTURES / file.name)


if __name__ == "__main__":
    main()
