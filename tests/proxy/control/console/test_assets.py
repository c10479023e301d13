from __future__ import annotations

import re
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestClient

from proxy.control.console import assets
from tests.proxy.control.console.conftest import Stage

Console = TestClient[web.Request, web.Application]


async def test_a_file_asked_for_by_its_content_is_kept_for_a_year(console: Console, stage: Stage) -> None:
    stage.principal = None  # the style sheet of the page to sign in at
    address = assets.Assets().address("console.css")
    answer = await console.get(address)
    assert answer.status == 200
    assert answer.content_type == "text/css"
    assert "immutable" in answer.headers["Cache-Control"]
    assert (await console.get(address.partition("?")[0])).headers["Cache-Control"] == "no-cache"


async def test_no_other_file_can_be_had(console: Console) -> None:
    for name in ("..%2f..%2fmount.py", "%2e%2e/rendering.py", "nothing.css", ""):
        assert (await console.get(f"/console/static/{name}")).status == 404


def test_nothing_is_loaded_from_elsewhere_and_nothing_is_written_inline() -> None:
    folder = Path(assets.__file__).parent / "static"
    for file in folder.iterdir():
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text, file.name
        assert not re.search(r"@import|url\((?!#)|\beval\(|Function\(|document\.write", text), file.name
