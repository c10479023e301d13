"""What the log keeps of an exchange beside its decision: whom it is about, and its bodies as the policy has it."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

from detectors.errors import StorageError
from detectors.types import Direction
from policies.types import Policy, StoredForm, Verdict
from proxy.bodies.json_document import dump
from proxy.bodies.walk import Walk
from proxy.exchange import Exchange, digest
from proxy.parts import Parts
from proxy.recording.stored_bodies import Keeping, form_of, is_maskable, keeping, kept_document
from proxy.recording.subjects import end_users, matched_identifiers, personal_json, subject_hashes
from proxy.recording.transcript import Transcript
from storage.subjects import personal_digest, subject_hash, subject_key


class Client(NamedTuple):
    """A client's network address as a decision keeps it: erasable, its hash in the chain, and as a subject."""

    personal: str
    digest: str
    subjects: tuple[str, ...]


@lru_cache(maxsize=4096)
def client_at(network: str, content_key: bytes) -> Client:
    """Return what is kept of an address. The salt inside is used again while the address is remembered here, so that
    after an erasure decisions may still be told to be of one address, but not of which.
    """
    personal = personal_json(network)
    subject = subject_hash(subject_key(content_key), network)
    return Client(personal, personal_digest(content_key, personal), (subject,) if subject else ())


async def remember(parts: Parts, exchange: Exchange, document: Any, walk: Walk, verdict: Verdict) -> None:
    """Note whom a judged body is about, and keep it if the policy says so. Before any edit is carried out on it."""
    note_subjects(exchange, walk, verdict, document if walk.direction is Direction.REQUEST else None)
    policy = exchange.policy
    if policy is None or (policy.store is StoredForm.NONE and not verdict.review):
        return
    exchange.digests[str(walk.direction)] = digest(exchange.content_key, dump(document))
    # Whoever is to look at what was stopped has to see it, whatever the policy keeps else.
    kept = await _keeping(parts, exchange, replace(policy, store=StoredForm.ENCRYPTED) if verdict.review else policy)
    plain = None if kept is None else kept_document(kept.form, document, verdict, policy.mode)
    if kept is not None and plain is not None:
        exchange.bodies.append(await kept.sealed(walk.direction, plain))


def note_subjects(exchange: Exchange, walk: Walk, verdict: Verdict, request: Any = None) -> None:
    """Add the hashes of whom a judged text names: what was found to be personal, and a request's end user."""
    findings = verdict.found
    identifiers = chain(end_users(request), matched_identifiers(walk.segments, findings) if findings else ())
    first = next(identifiers, None)
    if first is not None:  # of very many findings, no more are looked at than there is room for
        named = chain((first,), identifiers)
        exchange.subjects = subject_hashes(named, subject_key(exchange.content_key), exchange.subjects)


def listen(exchange: Exchange, policy: Policy) -> Transcript | None:
    """Return what keeps a streamed answer while it passes, None if the policy keeps nothing."""
    if policy.store is StoredForm.NONE:
        return None
    return Transcript(form_of(policy), exchange.content_key)


def hear(
    transcript: Transcript | None, exchange: Exchange, channel: str, base: int, walk: Walk, verdict: Verdict
) -> None:
    """Take in one window, or one event's rest, of a stream that was judged."""
    note_subjects(exchange, walk, verdict)
    if transcript is None or exchange.policy is None:
        return
    if channel:
        transcript.take_window(channel, base, walk.segments[0].text, verdict.found)
    if not is_maskable(verdict, exchange.policy.mode):
        transcript.forbid()


async def remember_stream(parts: Parts, exchange: Exchange, transcript: Transcript) -> None:
    """Keep a streamed answer that has come to its end, however it did."""
    exchange.digests[str(Direction.RESPONSE)] = transcript.digest
    policy, plain = exchange.policy, transcript.kept()
    kept = None if policy is None or plain is None else await _keeping(parts, exchange, policy)
    if kept is not None and plain is not None:
        exchange.bodies.append(await kept.sealed(Direction.RESPONSE, plain))


async def _keeping(parts: Parts, exchange: Exchange, policy: Policy) -> Keeping | None:
    """Return how bodies are kept; without a key the exchange is served without them, and that is counted."""
    if exchange.identity is None:
        return None
    try:
        return await keeping(parts.data_keys, policy, exchange.identity.tenant_id, exchange.id, exchange.opened_at)
    except StorageError:
        parts.metrics.count("promptshield_bodies_lost_total")
        return None
