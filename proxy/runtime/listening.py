"""The supervisor's sockets: opened once and inherited, looked at until somebody answers, closed when all is over."""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import sys
import threading
import time
from collections.abc import Sequence
from typing import Final

from detectors.errors import SettingsError
from proxy.edge_settings import Listener

_CHANNEL_SIZE: Final = 1 << 20
_PATIENCE: Final = 2.0  # seconds that workers get to accept who is waiting
_MOMENT: Final = threading.Event()


def open_listeners(listener: Listener, count: int) -> list[socket.socket]:
    """Open `count` sockets on one port; the kernel spreads connections over them. Raises SettingsError."""
    sockets: list[socket.socket] = []
    port = listener.port
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    for _ in range(count):
        opened = socket.socket(family, socket.SOCK_STREAM)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if count > 1:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            opened.bind((listener.host, port))
            opened.listen(1024)
        except OSError as exc:
            for useless in (opened, *sockets):
                useless.close()
            problem = f"cannot listen on {listener.host}:{port}: {exc.strerror}; is another one running?"
            raise SettingsError("listener", None, problem) from exc
        opened.setblocking(False)
        port = opened.getsockname()[1]
        sockets.append(opened)
    return sockets


def url_of(scheme: str, host: str, port: int) -> str:
    """Return the address of a listener as a URL has it: that of an IPv6 host has brackets."""
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def insist_on_free(*listeners: Listener) -> None:
    """Raises SettingsError where a port is taken: to be known before anything is made that is told only once."""
    for listener in listeners:
        if listener.port:
            for opened in open_listeners(listener, 1):
                opened.close()


def open_channel() -> tuple[socket.socket, socket.socket]:
    """Return the two ends over which workers send what they count: message by message, never blocking."""
    kind = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM
    inbox, outbox = socket.socketpair(socket.AF_UNIX, kind)
    outbox.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _CHANNEL_SIZE)
    inbox.setblocking(False)
    outbox.setblocking(False)
    return inbox, outbox


def is_ready(scheme: str, host: str, port: int) -> bool:
    if scheme == "https":  # a certificate is for a name, and this is an address of our own
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(host, port, timeout=1, context=_trusting())
    else:
        connection = http.client.HTTPConnection(host, port, timeout=1)
    try:
        connection.request("GET", "/health/readiness")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def stop_listening(listeners: Sequence[socket.socket]) -> None:
    """Refuse who comes now, in every process that has the sockets, once workers have accepted who came before. Whoever
    is still in a queue would be cut off; where it is refused, a balancer tries elsewhere at once.
    """
    for listener in listeners:
        listener.listen(0)  # one at a time, so that its queue empties however many come
    deadline = time.monotonic() + _PATIENCE
    while select.select(listeners, [], [], 0)[0] and time.monotonic() < deadline:
        _MOMENT.wait(0.002)
    for listener in listeners:
        try:
            listener.shutdown(socket.SHUT_RDWR)
        except OSError:  # not every system shuts what only listens
            listener.close()
