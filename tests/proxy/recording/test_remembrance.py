"""What the log keeps of an exchange: who it is about is noted as hashes, at a bounded price."""

from __future__ import annotations

from dataclasses import replace

import orjson

from detectors.types import Direction, Kind, Origin, Place, Segment
from policies.types import Policy, StoredForm
from proxy.bodies.walk import Walk
from proxy.exchange import Exchange
from proxy.recording.remembrance import client_at, hear, listen, note_subjects
from proxy.recording.stored_bodies import kept_document
from proxy.recording.transcript import Transcript
from storage.keys.sealed_body import BodyForm
from storage.subjects import personal_digest, subject_hash, subject_key
from tests.proxy.conftest import MakeJudged, MakePolicy, MakeVerdict

KEY = bytes(range(32))
TEXT = "write to jane.doe@example.com today"
SPAN = (9, 29)


def exchange(policy: Policy | None = None) -> Exchange:
    opened = Exchange.open(None, "POST /v1/chat/completions", "203.0.113.7")
    opened.content_key, opened.policy = KEY, policy
    return opened


def walked(text: str, pointer: str = "/messages/0/content") -> Walk:
    walk = Walk(Direction.REQUEST, frozenset())
    walk.segments.append(Segment(Direction.REQUEST, Origin.USER, Kind.TEXT, Place.VALUE, pointer, text))
    return walk


def hash_of(identifier: str) -> str:
    return subject_hash(subject_key(KEY), identifier)


def test_an_address_is_kept_erasable_with_its_hash_for_the_chain_and_as_a_subject() -> None:
    client = client_at("203.0.113.7", KEY)
    assert orjson.loads(client.personal)["network"] == "203.0.113.7"
    assert client.digest == personal_digest(KEY, client.personal)
    assert client.subjects == (hash_of("203.0.113.7"),)


def test_another_tenant_knows_the_same_address_by_another_hash() -> None:
    assert client_at("203.0.113.7", KEY).subjects != client_at("203.0.113.7", KEY[::-1]).subjects


def test_where_no_address_is_known_nothing_personal_is_kept() -> None:
    assert client_at("", KEY).personal == "{}"
    assert client_at("", KEY).subjects == ()


def test_what_was_found_to_be_personal_and_the_end_user_are_subjects(
    make_judged: MakeJudged, make_verdict: MakeVerdict
) -> None:
    opened, judged = exchange(), make_judged(span=SPAN)
    note_subjects(opened, walked(TEXT), make_verdict(judged.action, judged), {"user": "user-4711"})
    assert set(opened.subjects) == {hash_of("jane.doe@example.com"), hash_of("user-4711")}


def test_a_text_without_findings_names_nobody(make_verdict: MakeVerdict) -> None:
    opened = exchange()
    note_subjects(opened, walked(TEXT), make_verdict())
    assert opened.subjects == ()


def test_a_stream_is_listened_to_only_if_the_policy_keeps_something(make_policy: MakePolicy) -> None:
    for store, listening in (("none", False), ("hash", True), ("masked", True), ("encrypted", True)):
        policy = make_policy(f"audit: {{store: {store}}}")
        assert policy.store is StoredForm(store)
        assert (listen(exchange(policy), policy) is not None) is listening


def test_what_was_found_in_a_stream_is_masked_in_what_is_kept(
    make_policy: MakePolicy, make_judged: MakeJudged, make_verdict: MakeVerdict
) -> None:
    policy = make_policy("audit: {store: masked}")
    opened = exchange(policy)
    transcript = listen(opened, policy)
    assert isinstance(transcript, Transcript)
    judged = make_judged("/c0", span=SPAN)
    hear(transcript, opened, "c0", 0, walked(TEXT, "/c0"), make_verdict(judged.action, judged))
    assert orjson.loads(transcript.kept() or b"{}") == {"c0": "write to [EMAIL] today"}


def test_a_stream_that_nobody_could_look_at_is_not_kept_masked(
    make_policy: MakePolicy, make_verdict: MakeVerdict
) -> None:
    policy = make_policy("audit: {store: masked}")
    opened = exchange(policy)
    transcript = listen(opened, policy)
    hear(transcript, opened, "c0", 0, walked(TEXT, "/c0"), make_verdict(degraded=("pii",)))
    assert transcript is not None
    assert transcript.kept() is None


def test_what_was_excused_is_masked_in_what_is_kept_and_names_a_person_all_the_same(
    make_policy: MakePolicy, make_judged: MakeJudged, make_verdict: MakeVerdict
) -> None:
    policy = make_policy("audit: {store: masked}")
    opened = exchange(policy)
    verdict = replace(make_verdict(), excused=(make_judged("/c0", span=SPAN).finding,))
    transcript = listen(opened, policy)
    assert isinstance(transcript, Transcript)
    hear(transcript, opened, "c0", 0, walked(TEXT, "/c0"), verdict)
    assert orjson.loads(transcript.kept() or b"{}") == {"c0": "write to [EMAIL] today"}
    assert kept_document(BodyForm.MASKED, {"c0": TEXT}, verdict, policy.mode) == b'{"c0":"write to [EMAIL] today"}'
    assert opened.subjects == (hash_of("jane.doe@example.com"),)
