"""What is no error in a policy and still worth knowing: what ends soon or has ended, and limits that are too small."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from policies.amounts import UNSAID, PolicyLimits
from policies.types import Exclusion, Policy
from policies.webhooks import Webhook

SOON: Final = timedelta(days=14)


def remarks(policy: Policy, today: date) -> tuple[str, ...]:
    """Return one line for each, in the order of the policy. `today` is a day in UTC."""
    found = [line for exclusion in policy.exclusions if (line := _ending(exclusion, today))]
    candidate = policy.candidate
    if candidate is not None and candidate.until < today:
        found.append(f"the candidate ended on {candidate.until}: promote it or remove it")
    elif candidate is not None and candidate.until - today <= SOON:
        found.append(f"the candidate ends on {candidate.until}")
    found += _too_small(policy.limits)
    found += filter(None, map(_never_called, policy.webhooks))
    return tuple(found)


def _ending(exclusion: Exclusion, today: date) -> str:
    if exclusion.until < today:
        return f"exclusion of {exclusion.rule} ended on {exclusion.until} (owner {exclusion.owner})"
    if exclusion.until - today <= SOON:
        return f"exclusion of {exclusion.rule} ends on {exclusion.until} (owner {exclusion.owner})"
    return ""


def _never_called(webhook: Webhook) -> str:
    """Return why nobody will ever be called at an address, as far as it tells."""
    address = urlsplit(webhook.url)
    host = address.hostname or ""
    try:
        number = ip_address(host)
        private = not number.is_global and not any(number in network for network in webhook.networks)
    except ValueError:
        private = host == "localhost" and not webhook.networks
    if private or (address.scheme != "https" and not webhook.networks):
        what = "lies in no network that policies may call" if private else "is called over HTTPS only"
        return f"webhooks: {host} {what} (platform.yaml: webhook_networks)"
    return ""


def _too_small(limits: PolicyLimits) -> Iterator[str]:
    """Yield limits of tokens that a request without a bound of its answer exceeds by itself."""
    named = [("limits", limits.tenant)]
    for key, parts in (("apps", limits.apps), ("keys", limits.keys), ("models", limits.models)):
        named += [(f"limits.{key}.{pattern}", level) for levels in parts for pattern, level in levels]
    for key, level in named:
        least = min((rate.limit for rate in level.tokens), default=UNSAID + 1)
        if least <= UNSAID:
            why = f"a request that names no max_tokens counts {UNSAID:,} for its answer alone, and never fits"
            yield f"{key}.tokens allows {least:,}: {why}"
