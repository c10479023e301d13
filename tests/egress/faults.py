"""Run in mitmproxy's environment: every hook of the addon with a fault in it, and what becomes of the flow."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mitmproxy import tls
from mitmproxy.proxy import layer, server_hooks
from mitmproxy.test import tflow

ADDON = Path(__file__).parents[2] / "proxy" / "egress" / "mitm" / "addon.py"


class Broken:
    """Stands for whatever a hook looks at first, and raises whatever it is asked."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise RuntimeError(name)


def fate(flow: Any) -> str:
    if isinstance(flow, tls.ClientHelloData):
        return "ignored" if flow.ignore_connection else "opened"
    if isinstance(flow, server_hooks.ServerConnectionHookData):
        return "killed" if flow.server.error else "connected"
    if isinstance(flow, layer.NextLayer):
        return repr(flow.layer)
    if isinstance(flow, tls.TlsData):
        return "over"
    return "killed" if flow.error is not None else "passed"


def broken_flow(hook: str) -> Any:
    if hook == "tls_clienthello":
        return tls.ClientHelloData(Broken(), Broken(), ignore_connection=True)
    if hook == "tls_failed_client":
        return tls.TlsData(conn=Broken(), context=Broken())
    if hook == "next_layer":
        chosen = layer.NextLayer(SimpleNamespace(client=Broken(), server=Broken(), layers=[], options=None))
        chosen.layer = "what reads HTTP"
        return chosen
    if hook == "server_connect":
        return server_hooks.ServerConnectionHookData(client=Broken(), server=SimpleNamespace(address=7, error=None))
    flow = tflow.tflow()
    if hook == "responseheaders":
        flow.response = Broken()
    else:
        flow.request = Broken()
    return flow


async def main() -> None:
    sys.path.insert(0, str(ADDON.parent))
    spec = importlib.util.spec_from_file_location("addon", ADDON)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    egress, fates = module.addons[0], {}
    for hook in (
        "http_connect",
        "server_connect",
        "requestheaders",
        "responseheaders",
        "tls_clienthello",
        "tls_failed_client",
        "next_layer",
    ):
        flow = broken_flow(hook)
        await getattr(egress, hook)(flow)
        fates[hook] = fate(flow)
    sys.stdout.write(json.dumps(fates))


if __name__ == "__main__":
    asyncio.run(main())
