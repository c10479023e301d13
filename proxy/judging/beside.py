"""Judging beside the upstream: a request is on its way while judges read it; nothing comes back before they have."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from detectors.types import Direction
from policies.types import Verdict
from proxy.exchange import Exchange
from proxy.upstreams.upstream import UpstreamAnswer

Sending = Coroutine[Any, Any, UpstreamAnswer]


async def send_while_judged(exchange: Exchange, sending: Sending) -> UpstreamAnswer | Verdict:
    """Return the upstream's answer, or the verdict that stops the exchange, whose upstream is then let go at once.

    Raises UpstreamError.
    """
    later = exchange.later
    if later is None:
        return await sending
    loop = asyncio.get_running_loop()
    judged, sent = loop.create_task(later()), loop.create_task(sending)
    kept = False
    try:
        await asyncio.wait({judged, sent}, return_when=asyncio.FIRST_COMPLETED)
        if sent.done() and sent.exception() is not None:  # nobody waits for a verdict on what nobody answers
            return await sent
        screened = await judged
        if screened.verdict.effect.route is not None and not exchange.detoured:  # it is on its way already
            screened = screened.as_stop()
        exchange.keep(screened, Direction.REQUEST)
        if screened.verdict.effect.stop:
            return screened.verdict
        answer = await sent
        kept = True
        return answer
    finally:
        judged.cancel()
        if not kept:
            await _let_go(sent)


async def _let_go(sent: asyncio.Task[UpstreamAnswer]) -> None:
    """Close the upstream's connection, whether its answer has begun or not."""
    sent.cancel()
    await asyncio.wait({sent})
    if not sent.cancelled() and sent.exception() is None:
        sent.result().close()
