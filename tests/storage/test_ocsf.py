from dataclasses import asdict
from datetime import UTC, datetime

import pytest

from storage.ocsf import ocsf_event
from storage.published import json_line, published_row
from storage.types import Outcome
from tests.storage.sinks.records import extremes, record


def test_an_event_has_what_its_class_and_profiles_require() -> None:
    event = ocsf_event(published_row(record()))
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"] == 600301
    assert {"actor", "api", "src_endpoint", "metadata", "severity_id", "time", "category_uid"} <= event.keys()
    assert event["metadata"]["profiles"] == ["security_control", "ai_operation"]
    assert event["ai_model"] == {"name": "gpt", "ai_provider": "demo"}
    assert event["api"]["operation"] == "/v1/chat/completions"


@pytest.mark.parametrize(
    ("action", "action_id", "disposition_id", "severity_id"),
    [("", 1, 1, 1), ("allow", 1, 1, 1), ("flag", 3, 15, 2), ("mask", 4, 11, 3), ("pseudonymise", 4, 11, 3),
     ("block", 2, 2, 4), ("error", 2, 27, 3), ("unheard of", 0, 0, 0)],
)  # fmt: skip
def test_what_was_done_has_its_number(action: str, action_id: int, disposition_id: int, severity_id: int) -> None:
    event = ocsf_event(published_row(record(action=action, outcome=Outcome.ANSWERED)))
    numbers = (event["action_id"], event["disposition_id"], event["severity_id"])
    assert numbers == (action_id, disposition_id, severity_id)


def test_a_refusal_for_no_texts_sake_is_rejected_and_no_alert() -> None:
    event = ocsf_event(published_row(record(outcome=Outcome.REJECTED, action="", intended_action="", status=429)))
    assert (event["action"], event["disposition"], event["is_alert"]) == ("Denied", "Rejected", False)


def test_what_monitor_mode_would_have_blocked_is_an_alert() -> None:
    event = ocsf_event(published_row(record(action="flag", intended_action="block", mode="monitor")))
    assert event["is_alert"]
    assert event["disposition"] == "Detected"


def test_a_record_its_row_and_the_databases_row_make_the_same_event() -> None:
    given = record()
    row = published_row(given)
    times = {name: datetime.fromisoformat(row[name]) for name in ("opened_at", "closed_at")}
    assert ocsf_event(asdict(given)) == ocsf_event(row) == ocsf_event({**row, **times})


def test_names_are_used_where_they_are_known() -> None:
    row = published_row(record(app_id=None)) | {"tenant": "acme", "app": "shop"}
    event = ocsf_event(row)
    assert event["metadata"]["labels"] == ["tenant:acme"]
    assert event["actor"] == {"app_name": "shop"}


def test_an_event_holds_nothing_personal_and_fits_into_a_line() -> None:
    assert b"192.0.2.77" not in json_line(ocsf_event(asdict(record())))
    for extreme in extremes():
        assert json_line(ocsf_event(published_row(extreme))).count(b"\n") == 1


def test_times_are_milliseconds() -> None:
    event = ocsf_event(published_row(record()))
    assert event["end_time"] == 1_790_000_000_250
    assert datetime.fromtimestamp(event["time"] / 1000, UTC).year == 2026
