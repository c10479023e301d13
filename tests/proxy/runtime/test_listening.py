"""Sockets that are opened once, and closed without cutting off who is waiting."""

from __future__ import annotations

import socket
import threading
import time
from urllib.parse import urlsplit

import pytest

from detectors.errors import SettingsError
from proxy.edge_settings import Listener
from proxy.runtime.listening import insist_on_free, open_listeners, stop_listening, url_of


def test_a_port_that_is_taken_is_told_before_anything_is_made() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = Listener(port=taken.getsockname()[1])
        with pytest.raises(SettingsError, match="cannot listen on"):
            insist_on_free(Listener(port=0), busy)
    insist_on_free(busy)


def test_several_sockets_share_a_port_and_a_taken_one_is_named() -> None:
    first, second = open_listeners(Listener(port=0), 2)
    assert first.getsockname() == second.getsockname()
    with pytest.raises(SettingsError, match=str(first.getsockname()[1])):
        open_listeners(Listener(port=first.getsockname()[1]), 1)
    first.close()
    second.close()


def test_who_waits_is_still_served_and_who_comes_later_is_refused() -> None:
    (listener,) = open_listeners(Listener(port=0), 1)
    address = listener.getsockname()
    waiting = [socket.create_connection(address, 5) for _ in range(20)]
    for number, client in enumerate(waiting):
        client.sendall(bytes([number]))
    served: list[int] = []

    def accept_slowly() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                served.append(connection.recv(1)[0])
                connection.sendall(b"ok")
            time.sleep(0.01)  # noqa: TID251 - a worker that is busy

    worker = threading.Thread(target=accept_slowly)
    worker.start()
    stop_listening([listener])
    worker.join(5)

    assert [client.recv(2) for client in waiting] == [b"ok"] * len(waiting)
    assert sorted(served) == list(range(len(waiting)))
    with pytest.raises(OSError, match=r"refused|timed out"):
        socket.create_connection(address, 1)
    for open_socket in (*waiting, listener):
        open_socket.close()


def test_a_worker_that_accepts_nobody_does_not_hold_up_a_stop() -> None:
    (listener,) = open_listeners(Listener(port=0), 1)
    client = socket.create_connection(listener.getsockname(), 5)
    started = time.monotonic()

    stop_listening([listener])

    assert time.monotonic() - started < 4
    client.close()
    listener.close()


def test_the_address_of_a_listener_is_read_back_as_its_host_and_port() -> None:
    for host in ("127.0.0.1", "::1", "localhost"):
        address = urlsplit(url_of("https", host, 8443))
        assert (address.scheme, address.hostname, address.port) == ("https", host, 8443)
