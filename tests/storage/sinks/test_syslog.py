"""Syslog over each transport, and what becomes of connections that end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
import uvloop

from detectors.errors import UnavailableError
from storage.published import published_row
from storage.sinks._rfc5424 import syslog_message
from storage.sinks.syslog import SyslogSettings, SyslogSink
from tests.storage.sinks.certificates import server_context
from tests.storage.sinks.receivers import SyslogReceiver, datagrams
from tests.storage.sinks.records import extremes, ordinary, record


@pytest.fixture
async def receiver() -> AsyncIterator[SyslogReceiver]:
    started = SyslogReceiver()
    await started.come_back()
    yield started
    await started.go_away()


def sink_for(port: int, transport: str = "tcp", **keys: object) -> SyslogSink:
    given: dict[str, object] = {"type": "syslog", "host": "127.0.0.1", "port": port, "transport": transport}
    return SyslogSink(SyslogSettings.model_validate(given | keys))


def message(limit: int | None = None, **fields: object) -> bytes:
    return syslog_message(published_row(record(**fields)), facility=16, sd_id="promptshield@32473", limit=limit)  # type: ignore[arg-type]


def test_a_message_is_built_as_rfc_5424_says() -> None:
    head, _, row = message(id="0192a1b2-0000-7000-8000-000000000001").partition(b"] ")
    assert head == (
        b"<132>1 2026-09-21T14:13:20.250000Z i1 promptshield 0 blocked_request [promptshield@32473"
        b' id="0192a1b2-0000-7000-8000-000000000001" tenant_id="1" app_id="5" action="block"'
        b' category="prompt_injection" outcome="blocked_request" status="400" model="gpt" policy_id="p" request_id="r1"'
    )
    assert orjson.loads(row)["id"] == "0192a1b2-0000-7000-8000-000000000001"


def test_nothing_that_a_client_chose_ends_a_field_or_a_line() -> None:
    text = message(model='" ] \\ \n <13>1 - fake', instance="a b\n", request_id="\u2028x")
    head = text.partition(b"] {")[0]
    assert b'model="\\" \\] \\\\ ? <13>1 - fake"' in head
    assert b" a?b? promptshield " in head
    assert b"\n" not in text
    assert "\u2028".encode() not in head


def test_a_message_that_is_too_long_gives_up_the_row_then_itself_and_is_never_cut() -> None:
    long = message(limit=2048, scores='["' + "x" * 4000 + '"]')
    assert len(long) <= 2048
    assert orjson.loads(long.partition(b"] ")[2])["truncated"] is True
    longer = message(limit=1100, **dict.fromkeys(("model", "request_id"), "ü" * 4000))
    assert longer.endswith(b'"]')
    assert len(longer) <= 1100


def test_no_record_makes_a_head_that_does_not_fit_into_the_smallest_datagram() -> None:
    everything = dict.fromkeys(("model", "request_id", "policy_id", "category", "action", "instance"), "]" * 9000)
    for given in [record(**everything), *extremes()]:  # type: ignore[arg-type]
        assert len(syslog_message(published_row(given), 16, "x@1", 65_507)) <= 65_507


async def test_messages_are_counted_in_octets_over_tcp(receiver: SyslogReceiver) -> None:
    sink = sink_for(receiver.port)
    await sink.write(records := ordinary(5) + extremes())
    arrived = await receiver.arrived(len(records))
    assert all(given.id.encode() in text for given, text in zip(records, arrived, strict=True))
    await sink.close()


async def test_tls_is_checked_against_the_host_that_was_named(tmp_path: Path) -> None:
    tls, authority = server_context(tmp_path)
    receiver = SyslogReceiver(tls=tls)
    await receiver.come_back()
    sink = sink_for(receiver.port, "tls", host="localhost", ca_file=authority)
    await sink.write(ordinary(2))
    assert len(await receiver.arrived(2)) == 2
    await sink.close()
    for wrong in (sink_for(receiver.port, "tls", ca_file=authority), sink_for(receiver.port, "tls", host="localhost")):
        with pytest.raises(UnavailableError, match="SSLCertVerificationError"):
            await wrong.write(ordinary(1))
    await receiver.go_away()


async def test_a_datagram_holds_one_message_of_bounded_size() -> None:
    async with datagrams() as (port, messages):
        sink = sink_for(port, "udp", max_datagram=2048)
        await sink.write(records := ordinary(3) + extremes())
        await sink.close()
    assert len(messages) == len(records)
    assert max(map(len, messages)) <= 2048


async def test_a_near_machine_without_a_receiver_is_noticed_over_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(UnavailableError, match="ConnectionRefused"):
        await sink_for(port, "udp").write(ordinary(2))


async def test_a_connection_that_ended_between_two_batches_is_made_anew(receiver: SyslogReceiver) -> None:
    sink = sink_for(receiver.port)
    await sink.write(first := ordinary(1))
    await receiver.arrived(1)
    await receiver.go_away()
    with pytest.raises(UnavailableError):
        await sink.write(second := ordinary(1))
    await receiver.come_back()
    await sink.write(second)
    assert [given.id.encode() in text for given, text in zip(first + second, await receiver.arrived(2), strict=True)]
    await sink.close()


async def test_what_the_other_machine_does_not_take_is_not_written() -> None:
    with socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.bind(("127.0.0.1", 0))
        stuck.listen(0)
        sink = sink_for(stuck.getsockname()[1], timeout=0.1)
        with pytest.raises(UnavailableError, match="TimeoutError"):
            await sink.write([record(model="x" * 200_000) for _ in range(40)])
        await sink.close()


def test_it_works_on_the_loop_that_the_product_runs_on() -> None:
    async def scene() -> int:
        receiver = SyslogReceiver()
        await receiver.come_back()
        sink = sink_for(receiver.port)
        await sink.write(ordinary(3))
        arrived = len(await receiver.arrived(3))
        await sink.close()
        await receiver.go_away()
        async with datagrams() as (port, messages):
            await sink_for(port, "udp").write(ordinary(2))
            await asyncio.sleep(0.005)
            return arrived + len(messages)

    assert uvloop.run(scene()) == 5
