"""What lives at a provider: a request may lean only on what its tenant made through here, and what is made is noted."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from detectors.errors import EdgeError, StorageError
from policies.types import References
from proxy.codec import Codec, Reference
from proxy.exchange import Exchange
from proxy.parts import Parts
from proxy.pseudonyms.keeping import keep_pseudonyms, recall_pseudonyms
from proxy.settings import UpstreamSettings
from storage.types import ObjectName


async def hold_references(
    parts: Parts,
    exchange: Exchange,
    codec: Codec,
    references: Collection[Reference],
    upstreams: Sequence[UpstreamSettings],
) -> Sequence[UpstreamSettings]:
    """Return the one of these upstreams at which the tenant made all that the request leans on.

    Nobody here has read it, so an unknown one is no object at all: EdgeError 404; 503 where nobody can tell.
    """
    policy, identity = exchange.policy, exchange.identity
    names = {ObjectName(reference.kind, reference.id): reference for reference in references}
    if not references or policy is None or identity is None or policy.references is References.ANY:
        await recall_pseudonyms(parts, exchange, names.keys())
        return upstreams[:1]
    missing: frozenset[ObjectName] = frozenset()
    for upstream in upstreams:
        try:
            unknown = await parts.objects.unknown(identity.tenant_id, upstream.name, names.keys())
        except StorageError as exc:
            raise EdgeError(503, "objects_unavailable", "Stored objects cannot be checked at the moment.") from exc
        if not unknown:
            exchange.upstream = upstream.name
            await recall_pseudonyms(parts, exchange, names.keys())
            return [upstream]
        missing = missing or unknown
    first = next(reference for name, reference in names.items() if name in missing)
    message = f"This {first.kind.replace('_', ' ')} was not made through this firewall, or it has expired."
    raise EdgeError(404, "object_not_found", message, codec.param(first.pointer) or None)


async def note_creations(parts: Parts, exchange: Exchange, creations: Collection[Reference]) -> None:
    """Note, before anybody is told, what an answer says was made. What cannot be noted will be refused later."""
    if not creations or exchange.identity is None:
        return
    names = {ObjectName(made.kind, made.id) for made in creations}
    try:
        possible = await parts.objects.note(exchange.identity.tenant_id, exchange.upstream, names, exchange.id)
        await keep_pseudonyms(parts, exchange, names)
    except StorageError:
        possible = 0
    if possible < len(names):
        parts.metrics.count("promptshield_objects_unnoted_total", (), len(names) - possible)
