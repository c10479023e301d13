"""A stop under load: every stream that was open ends as its model ends it, and each is in the log."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

from aiohttp import ClientSession, ClientTimeout, TCPConnector

from tests.harness import Product, Recorder, streamed
from tests.pace import slowness

STREAMS: Final = 500
WORDS, PAUSE = 12, 0.5  # six seconds in all, or more on a machine that is slow to open so many
DRAIN: Final = 60
_BODY: Final = {"model": "scripted", "stream": True, "messages": [{"role": "user", "content": "Count the sheep."}]}


def test_five_hundred_live_streams_end_whole_after_a_stop() -> None:
    pause = PAUSE * slowness()
    with Recorder() as upstream, tempfile.TemporaryDirectory(prefix="ps-drain-") as name:
        upstream.scripts["scripted"] = streamed(*[f"sheep {n} " for n in range(WORDS)], pause=pause)
        folder = Path(name)
        folder.chmod(0o755)
        extra = f"edge: {{grace: 0.2, drain: {DRAIN}}}\n"
        with Product(folder / "data", upstream=upstream.url, workers=2, extra=extra) as product:
            product.policy("extends: preset/standard\n")
            ends = asyncio.run(_stop_while_open(product, WORDS * pause))
            assert ends == Counter({"whole": STREAMS})
            product.start()
            assert Counter(row["outcome"] for row in product.all_rows()) == Counter({"answered": STREAMS})


async def _stop_while_open(product: Product, seconds: float) -> Counter[str]:
    waited_for, all_open = STREAMS, asyncio.Event()

    async def one(session: ClientSession) -> str:
        nonlocal waited_for
        async with session.post(f"{product.url}/chat/completions", json=_BODY) as answer:
            waited_for -= 1
            if not waited_for:
                all_open.set()
            text = await answer.text()
        return "whole" if answer.status == 200 and text.count("sheep") >= WORDS and "[DONE]" in text else text[-200:]

    headers = {"Authorization": f"Bearer {product.key}"}
    async with ClientSession(
        headers=headers, connector=TCPConnector(limit=STREAMS), timeout=ClientTimeout(DRAIN + 30)
    ) as session:
        streams = [asyncio.ensure_future(one(session)) for _ in range(STREAMS)]
        await asyncio.wait_for(all_open.wait(), seconds)
        assert not any(stream.done() for stream in streams), "they were to be open when the stop came"
        code = await asyncio.to_thread(product.stop)
        assert code == 0
        return Counter(await asyncio.gather(*streams, return_exceptions=False))
