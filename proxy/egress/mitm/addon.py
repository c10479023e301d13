"""What mitmdump runs, in an environment of its own: it ends TLS with whoever speaks to an LLM service and hands what is
said over to the data plane; everything else passes untouched. Nothing is read or decided here. Standard library only,
beside mitmproxy itself and `hand_over.py`, which mitmproxy finds because it lies in the same folder.

`PROMPTSHIELD_EGRESS` names a JSON file: {"plane": URL, "token": ..., "hosts": [name, ...]}.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import functools
import hashlib
import json
import logging
import os
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from hand_over import ASKED_FOR, FirstHead, HandOver, Plane, PlaneConnection
from mitmproxy import ctx, http, tls
from mitmproxy.net.tls import starts_like_tls_record
from mitmproxy.proxy import layer, server_hooks
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import ClientTLSLayer, TCPLayer
from mitmproxy.proxy.layers.modes import HttpProxy

KNOWN_FOR: Final = 30.0  # seconds a key is taken for what it was
TOLD_EVERY: Final = 10.0  # seconds
_REMEMBERED: Final = 10_000
_FEW_DIGITS: Final = 5  # of a body's length that is waited for
_KEY: Final = re.compile(r"[A-Za-z0-9._-]{1,8000}")  # API keys, and tokens of a tenant's own issuer
_LOG: Final = logging.getLogger("promptshield.egress")
_CHALLENGE: Final = {"Proxy-Authenticate": 'Basic realm="PromptShield key as the user name"'}


def fails_closed(hook: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """mitmproxy logs what an addon raises and goes on as if nobody had been asked: here it ends the flow instead."""

    @functools.wraps(hook)
    async def guarded(self: Egress, flow: Any) -> None:
        try:
            await hook(self, flow)
        except Exception as exc:  # noqa: BLE001 - whatever it was, nothing passes
            _LOG.error('{"event":"egress hook failed","hook":"%s","error":"%s"}', hook.__name__, type(exc).__name__)
            cut(flow)

    return guarded


def cut(flow: Any) -> None:
    """End what has no answer."""
    if isinstance(flow, server_hooks.ServerConnectionHookData):
        flow.server.error = "The host may not be reached, or cannot be found."
    elif isinstance(flow, tls.ClientHelloData):
        flow.ignore_connection = False  # opened, and then refused
    elif isinstance(flow, layer.NextLayer):
        flow.layer = HandOver(flow.context, None, b"")
    elif not isinstance(flow, tls.TlsData):  # of which there is nothing left to end
        flow.kill()


def refuse(flow: http.HTTPFlow, status: int, code: str, message: str) -> None:
    """Answer in our own name; not while much is to come: mitmproxy would keep all of it before it answers."""
    if _goes_on(flow.request):
        flow.kill()
        return
    body = json.dumps({"error": {"message": message, "type": "server_error", "param": None, "code": code}})
    headers = {"Content-Type": "application/json", "x-should-retry": "false"}
    flow.response = http.Response.make(status, body, headers | (_CHALLENGE if status == 407 else {}))


class Egress:
    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._keys: dict[str, str] = {}  # by client connection
        self._heard: set[str] = set()  # connections whose first head has been read
        self._known: dict[bytes, tuple[bool, float]] = {}
        self.counts: Counter[str] = Counter()
        self._told: Counter[str] = Counter()  # of the counts, what the data plane knows

    @fails_closed
    async def http_connect(self, flow: http.HTTPFlow) -> None:
        """Nobody passes who does not say who they are."""
        key = await self._key_of(flow)
        if key is None:
            return
        self._keys[flow.client_conn.id] = key
        if self._host(flow.request.host, "") is None:
            await self._hold_to_addresses(flow)

    @fails_closed
    async def next_layer(self, chosen: layer.NextLayer) -> None:
        """Hand over what is said to an LLM service, inside TLS or, in a tunnel, without; the rest passes as it is."""
        context, data = chosen.context, chosen.data_client()
        client, above = context.client, context.layers[-1] if context.layers else None
        host = self._host((context.server.address or ("",))[0], client.sni or "")
        if not isinstance(above, ClientTLSLayer) and starts_like_tls_record(data):
            return
        if host is not None:
            chosen.layer = self._handed_over(context, host)
        elif context.server.address is not None:
            begins_tls = data[:1] == b"\x16"  # with less of it than tells to whom
            chosen.layer = HandOver(context, None, b"") if begins_tls else TCPLayer(context, ignore=True)
            self.counts["refused" if begins_tls else "untouched"] += 1
        elif isinstance(above, HttpProxy | ClientTLSLayer):
            chosen.layer = FirstHead(context, lambda: client.id in self._heard)

    @fails_closed
    async def tls_clienthello(self, data: tls.ClientHelloData) -> None:
        """Only connections to LLM services are opened; a name in either place is enough."""
        address = data.context.server.address
        if self._host(address[0] if address else "", data.client_hello.sni or "") is None:
            self.counts["untouched"] += 1
            data.ignore_connection = True

    @fails_closed
    async def tls_failed_client(self, data: tls.TlsData) -> None:
        host = data.conn.sni or (data.context.server.address or ("",))[0]
        self.counts["distrusted"] += 1
        text = "a client does not trust the egress certificate: install the CA, or it pins its own (docs/egress.md)"
        _LOG.warning('{"event":%s,"host":%s}', json.dumps(text), json.dumps(host))

    @fails_closed
    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Let plain HTTP pass to other hosts only: what is meant for an LLM service comes in a tunnel."""
        if await self._key_of(flow) is None:
            return
        if self._host(flow.request.host, "") or self._host(flow.request.pretty_host, ""):
            self.counts["refused"] += 1
            refuse(flow, 403, "egress_needs_https", "This host is read over HTTPS: ask for https://, not http://.")
        elif await self._hold_to_addresses(flow):
            self.counts["untouched"] += 1
            flow.request.stream = True

    @fails_closed
    async def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        """Connect to the address that was checked, whatever its name comes to mean meanwhile."""
        if isinstance(data.server, PlaneConnection):
            return
        host, port = data.server.address or ("", 0)
        status, address = await self._locate(host, port, _address(data.client))
        if status == b"200":
            data.server.address = (address, port)
        else:
            cut(data)

    @fails_closed
    async def responseheaders(self, flow: http.HTTPFlow) -> None:
        if flow.response is not None:
            flow.response.stream = True

    def client_disconnected(self, client: Any) -> None:
        self._keys.pop(client.id, None)
        self._heard.discard(client.id)

    def running(self) -> None:
        """From now on the data plane hears what passes here, for its metrics."""
        self._telling = asyncio.get_running_loop().create_task(self._tell_forever())

    def done(self) -> None:
        """Let nothing pass once we are gone: mitmproxy takes an addon out when its file changes, and goes on."""
        _LOG.warning('{"event":"egress ends","connections":%s}', json.dumps(dict(self.counts)))
        if not ctx.master.should_exit.is_set():
            _LOG.error('{"event":"egress ends, because its addon was replaced or removed: start it again"}')
            os._exit(1)  # at once: a connection may be waiting

    def _host(self, address: str, sni: str) -> str | None:
        names = (name.lower().rstrip(".") for name in (sni, address))
        return next((name for name in names if name in self._plane.hosts), None)

    async def _key_of(self, flow: http.HTTPFlow) -> str | None:
        """Return the key that a request shows; None of one that is refused, because it is nobody's."""
        self._heard.add(flow.client_conn.id)
        key = presented(flow.request.headers.pop("proxy-authorization", ""))
        if key is not None and await self._is_somebodys(key):
            return key
        self.counts["refused"] += 1
        refuse(flow, 407, "invalid_api_key", "Use a PromptShield key as the proxy's user name.")
        return None

    def _handed_over(self, context: Context, host: str) -> HandOver:
        key = self._keys.get(context.client.id, "")
        said = (f"x-promptshield-key: {key}", f"x-promptshield-egress-client: {_address(context.client)}")
        introduction = self._plane.request("GET /egress/connection", *said, host=host, keep=True)
        self.counts["read" if key else "refused"] += 1
        return HandOver(context, self._plane if key else None, introduction)

    async def _hold_to_addresses(self, flow: http.HTTPFlow) -> bool:
        """Refuse to go where nobody may be sent: to ourselves, and into networks that are not public."""
        status, _ = await self._locate(flow.request.host, flow.request.port, _address(flow.client_conn))
        if status == b"403":
            self.counts["refused"] += 1
            refuse(flow, 403, "egress_network", "The firewall's proxy does not go into this network.")
        elif status != b"200":
            refuse(flow, 502, "egress_error", "The host cannot be found.")
        return status == b"200"

    async def _locate(self, host: str, port: int, client: str) -> tuple[bytes, str]:
        place = f"x-promptshield-egress-place: {host} {port}"
        status, body = await self._call("GET /egress/address", place, f"x-promptshield-egress-client: {client}")
        return status, body.decode("ascii", "replace")

    async def _is_somebodys(self, key: str) -> bool:
        """Tell whether the data plane knows this key; a failure to ask is nobody."""
        name, now = hashlib.sha256(key.encode()).digest(), time.monotonic()
        known = self._known.get(name)
        if known is not None and known[1] > now:
            return known[0]
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        found = await self._ask(key)
        self._known[name] = (found, now + (KNOWN_FOR if found else ASKED_FOR))
        return found

    async def _ask(self, key: str) -> bool:
        return (await self._call("GET /egress/identity", f"x-promptshield-key: {key}"))[0] == b"204"

    async def _tell_forever(self) -> None:
        while True:
            await asyncio.sleep(TOLD_EVERY)
            news = self.counts - self._told
            said = ",".join(f"{name}={number}" for name, number in sorted(news.items()))
            if said and (await self._call("POST /egress/counts", f"x-promptshield-egress-counts: {said}"))[0] == b"204":
                self._told += news

    async def _call(self, what: str, *headers: str) -> tuple[bytes, bytes]:
        """Return the status and the body of the data plane's answer, empty where there is none."""
        plane, request = self._plane, self._plane.request(what, *headers)
        if not request:
            return b"", b""
        try:
            async with asyncio.timeout(ASKED_FOR):
                reader, writer = await asyncio.open_connection(plane.host, plane.port)
                try:
                    writer.write(request)
                    said, _, body = (await reader.read()).partition(b"\r\n\r\n")
                    return said.split()[1], body
                finally:
                    writer.close()
        except (OSError, TimeoutError, IndexError):
            return b"", b""


def _address(client: Any) -> str:
    """Return a client's address, empty of one that has left."""
    return str((client.peername or ("",))[0])


def _goes_on(request: http.Request) -> bool:
    """Tell whether more of a body is to come than anybody should keep."""
    length = request.headers.get("content-length", "0")
    return "transfer-encoding" in request.headers or not length.isdecimal() or len(length) > _FEW_DIGITS


def presented(header: str) -> str | None:
    """Return the key in `Basic base64(key:...)`, None where there is none that could be one."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user = base64.b64decode(encoded.strip(), validate=True).decode("ascii").partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user if _KEY.fullmatch(user) else None


addons = [Egress(Plane.read(Path(os.environ["PROMPTSHIELD_EGRESS"])))]
