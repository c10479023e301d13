"""What every sink must keep, wherever it writes: all discovered sinks against real destinations on this machine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from moto.server import ThreadedMotoServer

from detectors.errors import StorageError, UnavailableError
from storage.postgres import Database
from storage.sink import SinkFactory, SinkSettings, Surroundings, load_sink, sink_types
from storage.types import DecisionRecord, Sink
from tests.storage.sinks.records import extremes, ordinary, poison
from tests.storage.sinks.scenes import SECRET, Scene, scene_of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # moto's and botocore's own


@dataclass
class Stage:
    scene: Scene
    settings: SinkSettings
    sink: Sink

    def another(self) -> Sink:
        """The same sink, as the next start builds it."""
        return built(self.settings)


def built(settings: SinkSettings) -> Sink:
    # Nothing but the sink of record uses the database.
    surroundings = Surroundings(cast("Database", None), Path("/nowhere"))
    sink: Sink = load_sink(settings.type).build(settings, surroundings)
    return sink


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadedMotoServer]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    started = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    started.start()
    yield started
    started.stop()


# A service of its own takes seconds to start.
@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.slow if name == "s3" else ()) for name in sink_types()])
async def stage(request: pytest.FixtureRequest, tmp_path: Path, server: ThreadedMotoServer) -> AsyncIterator[Stage]:
    scene = scene_of(request.param, tmp_path, server)
    settings = await scene.settings()
    opened = Stage(scene, settings, built(settings))
    yield opened
    await opened.sink.close()
    await scene.close()


def ids(records: list[DecisionRecord]) -> list[str]:
    return sorted(record.id for record in records)


def test_there_are_sinks_to_check() -> None:
    assert len(sink_types()) >= 5


@pytest.mark.parametrize("type_name", [*sink_types(), "postgres"])
def test_a_module_offers_a_sink_of_its_own_name(type_name: str) -> None:
    factory = load_sink(type_name)
    assert isinstance(factory, SinkFactory)
    assert factory.name == type_name
    assert issubclass(factory.settings, SinkSettings)


async def test_decisions_of_all_tenants_arrive_whole(stage: Stage) -> None:
    records = ordinary(7) + extremes()
    await stage.sink.write(records)
    assert sorted(await stage.scene.arrived(stage.sink, len(records))) == ids(records)


async def test_an_empty_batch_is_nothing(stage: Stage) -> None:
    await stage.sink.write([])


async def test_a_batch_that_comes_again_is_known_by_its_ids(stage: Stage) -> None:
    records = ordinary()
    await stage.sink.write(records)
    await stage.sink.write(records)
    assert set(await stage.scene.arrived(stage.sink, len(records))) == set(ids(records))


async def test_a_batch_that_comes_again_after_a_restart_is_known_by_its_ids(stage: Stage) -> None:
    records = ordinary()
    await stage.sink.write(records)
    await stage.sink.close()
    again = stage.another()
    await again.write([*records, *(more := ordinary(2))])
    arrived = await stage.scene.arrived(again, len(records + more))
    await again.close()
    assert set(arrived) == set(ids(records + more))


async def test_a_record_that_cannot_be_written_is_refused_and_takes_no_other_with_it(stage: Stage) -> None:
    good = ordinary(2)
    for bad in poison():
        with pytest.raises(StorageError) as refusal:
            await stage.sink.write([good[0], bad, good[1]])
        assert not isinstance(refusal.value, UnavailableError)

    await stage.sink.write(good)
    assert set(await stage.scene.arrived(stage.sink, 2)) == set(ids(good))


async def test_a_destination_that_is_away_blames_no_record_and_takes_them_when_it_is_back(stage: Stage) -> None:
    records = ordinary()
    await stage.scene.go_away()
    with pytest.raises(UnavailableError):
        await stage.sink.write(records)
    await stage.scene.come_back()
    await stage.sink.write(records)
    assert sorted(await stage.scene.arrived(stage.sink, len(records))) == ids(records)


async def test_closing_twice_is_closing_once_and_loses_nothing(stage: Stage) -> None:
    await stage.sink.close()
    await stage.sink.write(records := ordinary())
    await stage.sink.close()
    await stage.sink.close()
    assert sorted(await stage.scene.arrived(stage.sink, len(records))) == ids(records)


async def test_a_cancelled_write_leaves_the_sink_usable(stage: Stage) -> None:
    records = ordinary(50)
    writing = asyncio.ensure_future(stage.sink.write(records))
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.wait([writing])
    await stage.sink.write(records)
    assert set(await stage.scene.arrived(stage.sink, len(records))) == set(ids(records))


async def test_no_secret_is_in_any_text_about_a_sink(stage: Stage) -> None:
    await stage.scene.go_away()
    with pytest.raises(UnavailableError) as raised:
        await stage.sink.write(ordinary())
    texts = [repr(stage.settings), str(stage.settings), repr(stage.sink)]
    error: BaseException | None = raised.value
    while error is not None:
        texts += [str(error), repr(error)]
        error = error.__cause__ or error.__context__
    assert not [text for text in texts if SECRET in text]
    await stage.scene.come_back()
