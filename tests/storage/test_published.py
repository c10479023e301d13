import orjson
import pytest

from detectors.errors import StorageError
from storage.published import ERASABLE, json_line, moment, published_row
from tests.storage.sinks.records import extremes, poison, record


def test_what_can_be_erased_does_not_leave_the_database() -> None:
    text = json_line(published_row(record()))
    assert not ERASABLE & set(orjson.loads(text))
    assert not [word for word in (b"192.0.2.77", b"5ub1ec7", b"c1pher") if word in text]


def test_an_address_in_the_facts_of_an_older_journal_stays_behind_too() -> None:
    row = published_row(record(facts='{"network":"192.0.2.77","app":"shop"}'))
    assert row["facts"] == {"app": "shop"}


def test_a_row_holds_json_and_moments_ready_to_read() -> None:
    row = published_row(record())
    assert row["scores"] == [{"rule": "PS-INJ-001", "confidence": 0.9}]
    assert row["opened_at"].startswith("2026-09-21T")
    assert row["closed_at"] == moment(1_790_000_000.25) == "2026-09-21T14:13:20.250000Z"


def test_a_line_is_one_line_whatever_is_in_it() -> None:
    for extreme in extremes():
        line = json_line(published_row(extreme))
        assert line.count(b"\n") == 1
        assert line.endswith(b"}\n")


@pytest.mark.parametrize("bad", poison(), ids=["surrogate", "json", "id", "time"])
def test_a_record_without_a_row_is_to_blame_itself(bad: object) -> None:
    with pytest.raises(StorageError):
        json_line(published_row(bad))  # type: ignore[arg-type]
