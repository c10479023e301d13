"""A tenant that has one of everything: a key, decisions, a review, an incident, a draft."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from storage.accounts.users import NewUser
from storage.decisions.writer import PostgresSink
from storage.incidents import IncidentStore, Sign
from storage.policy_versions import PolicyVersions
from storage.tenants.api_keys import ApiKeyStore
from storage.tenants.issuers import NewIssuer, TenantIssuers
from storage.tenants.key_book import KeyBook
from storage.types import Outcome, Tenant
from tests.proxy.control.house import House
from tests.storage.conftest import MakeRecord

SCORE = {
    "direction": "request", "origin": "user", "category": "prompt_injection", "rule": "PS-INJ-001",
    "detector": "patterns", "confidence": 0.93, "kind": "", "severity": "high", "pointer": "/messages/0/content",
    "place": "value", "content": f"hmac:{'5b' * 16}", "count": 2, "action": "block", "policy_rule": "injection",
}  # fmt: skip
LEAK = SCORE | {"direction": "response", "origin": "assistant", "category": "credential", "rule": "PS-CRED-001"}
COVERAGE = json.dumps({"request": {"scanned": 3, "cached": 0, "skipped": {}, "unscanned": {"media": 1}}})


@dataclass(frozen=True, slots=True)
class Stock:
    """What a tenant has, by the names that paths and queries have for it."""

    tenant: str
    app: str
    key: int
    decision: str
    quiet_decision: str
    second_review: str
    incident: int
    version: int
    request_id: str
    model: str
    user: int
    account: int
    issuer: int
    secret: str  # stands in what this tenant wrote, and in nothing that anybody else sends


async def stocked(house: House, tenant: Tenant, make_record: MakeRecord) -> Stock:
    database = house.parts.database
    app = f"shop-{tenant.id}"
    secret = f"s3cr3t{secrets.token_hex(8)}"
    key_id, _ = await ApiKeyStore(database, house.parts.house_keys.pepper).create(tenant.slug, app, secret)
    found = await KeyBook(database, tenant.id).find_app(app)
    assert found is not None
    now = datetime.now(UTC)
    review = {"review": {"until": (now + timedelta(days=20)).date().isoformat()}, "language": "en"}
    model = f"model-{tenant.id}"
    names = {"app_id": found.id, "key_id": key_id, "policy_id": tenant.slug, "model": model}
    blocked = make_record(
        tenant.id, now - timedelta(minutes=2), **names, request_id=f"request-{tenant.id}", action="block",
        intended_action="block", outcome=Outcome.BLOCKED_REQUEST, status=400, category="prompt_injection",
        confidence=0.93, scores=json.dumps([SCORE]), facts=json.dumps(review), coverage=COVERAGE, prompt_tokens=40,
    )  # fmt: skip
    quiet = make_record(tenant.id, now - timedelta(minutes=3), **names, action="allow", intended_action="allow",
                        category="", confidence=0.0, degraded=(), coverage=COVERAGE)  # fmt: skip
    more = {"outcome": blocked.outcome, "action": "mask", "scores": blocked.scores, "facts": blocked.facts}
    masked = make_record(tenant.id, now - timedelta(minutes=4), **(names | more))
    await PostgresSink(database).write([blocked, quiet, masked])
    sign = Sign(tenant.id, "manual", "", f"something odd: {secret}", "medium", (blocked.id,))
    opened = await IncidentStore(database).open(sign, "ada")
    assert opened is not None
    version = await PolicyVersions(database).save(
        tenant.slug, f"# {secret}\nextends: preset/standard\nmode: monitor\n", "sha256:0", "grace", f"for {secret}"
    )
    access = house.parts.access
    user = await access.users.create(NewUser(f"u-{secret}", "analyst", tenant.id, "x", must_change=True))
    account = await access.service_accounts.create(f"a-{secret}", "analyst", tenant.id)
    trusted = NewIssuer(f"https://{secret}.example", "audience", "https://issuer.example/jwks")
    issuer = await TenantIssuers(database).create(tenant.id, trusted)
    return Stock(
        tenant.slug, app, key_id, blocked.id, quiet.id, masked.id, opened[0], version, blocked.request_id,
        model, user.id, account.account.id, issuer.id, secret,
    )  # fmt: skip
