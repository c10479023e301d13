"""Pseudonyms of an exchange: begun with its first value, recalled with what it leans on, kept with what it makes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from detectors.errors import StorageError
from policies.types import Edit, Pseudonym
from proxy.exchange import Exchange
from proxy.parts import Parts
from proxy.pseudonyms.pseudonyms import Pseudonyms
from proxy.pseudonyms.restoration import Restoration
from storage.keys.sealed_pseudonyms import generation_of, seal_pseudonyms, unseal_pseudonyms
from storage.types import Identity, ObjectName

_LOST: Final = "promptshield_pseudonyms_lost_total"
_GROWS: Final = "conversation"  # what is said later is added to it


def name_values(parts: Parts, exchange: Exchange, document: Any, edits: Sequence[Edit]) -> Sequence[Edit]:
    """Return edits that can be carried out on `document`, as it was scanned. Raises UneditableError."""
    if not any(isinstance(edit.replacement, Pseudonym) for edit in edits):
        return edits
    return _pseudonyms(parts, exchange).name_values(document, edits)


def restoration_of(exchange: Exchange) -> Restoration | None:
    """Return what restores the exchange's answer, None where nothing was replaced: then it costs nothing."""
    if not exchange.pseudonyms or exchange.policy is None:
        return None
    return Restoration(exchange.pseudonyms, exchange.policy.restore_in_tools)


async def recall_pseudonyms(parts: Parts, exchange: Exchange, names: Collection[ObjectName]) -> None:
    """Take in what the objects at the exchange's upstream were written with. What cannot be had is not restored."""
    identity, policy = exchange.identity, exchange.policy
    if identity is None or policy is None or not policy.pseudonymises:
        return
    exchange.leans_on = frozenset(names)
    try:
        kept = await parts.objects.pseudonyms(identity.tenant_id, exchange.upstream, names)
        for name, sealed in kept.items():
            key = await parts.data_keys.find(identity.tenant_id, generation_of(sealed))
            _pseudonyms(parts, exchange).adopt(unseal_pseudonyms(sealed, exchange.upstream, name, key))
    except StorageError:
        parts.metrics.count(_LOST)


async def keep_with_conversations(parts: Parts, exchange: Exchange) -> None:
    """Keep what a request was written with, if it goes into conversations that are read again later."""
    if exchange.pseudonyms is not None and exchange.pseudonyms.issued:
        await keep_pseudonyms(parts, exchange, [name for name in exchange.leans_on if name.kind == _GROWS])


async def keep_pseudonyms(parts: Parts, exchange: Exchange, names: Collection[ObjectName]) -> None:
    """Keep what this exchange was written with beside objects that were noted. What cannot be kept is counted."""
    fresh = [name for name in names if name not in exchange.kept_with]
    if exchange.identity is None or not exchange.pseudonyms or not fresh:
        return
    try:
        await _keep(parts, exchange, exchange.identity, exchange.pseudonyms, fresh)
    except StorageError:
        parts.metrics.count(_LOST)
    else:
        exchange.kept_with.update(fresh)


async def _keep(
    parts: Parts, exchange: Exchange, identity: Identity, pseudonyms: Pseudonyms, names: Collection[ObjectName]
) -> None:
    key = await parts.data_keys.live(identity.tenant_id)
    sealed = {name: seal_pseudonyms(pseudonyms.all(), exchange.upstream, name, key) for name in names}
    await parts.objects.keep_pseudonyms(identity.tenant_id, exchange.upstream, sealed)


def _pseudonyms(parts: Parts, exchange: Exchange) -> Pseudonyms:
    assert exchange.identity is not None  # noqa: S101 - nobody is judged before being admitted
    if exchange.pseudonyms is None:
        identity = exchange.identity
        exchange.pseudonyms = Pseudonyms(parts.house_keys.pseudonym_key(identity.tenant_id, identity.app_id))
    return exchange.pseudonyms
