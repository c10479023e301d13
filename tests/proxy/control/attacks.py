"""Calls of one tenant's administrator that reach for what is another's, made from the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random  # noqa: TID251 - the same calls each time
from typing import Any
from urllib.parse import quote, urlencode

from tests.proxy.control.stock import Stock

JsonObject = dict[str, Any]
SOON = (datetime.now(UTC).date() + timedelta(days=30)).isoformat()
POLICY = "extends: preset/standard\nmode: monitor\n"
WHY = {"reason": "they asked for it"}
# Not declared anywhere, and in use elsewhere to reach around a filter.
ODD = ("sort", "order", "filter", "fields", "include", "expand", "tenant_id", "tenant[]", "where", "q", "as", "user")


@dataclass(frozen=True, slots=True)
class Attack:
    operation: str
    method: str
    url: str
    headers: dict[str, str]
    body: Any = None


@dataclass(frozen=True, slots=True)
class Attacker:
    """Whoever has `own` and wants what is `others`; `cursors` are places in the other's lists, by operation."""

    document: JsonObject
    own: Stock
    others: Stock
    cursors: JsonObject
    random: Random = field(default_factory=lambda: Random(1))  # noqa: S311 - the same calls each time

    def attacks(self, at_least: int, in_all: int) -> Iterator[Attack]:
        """Yield `at_least` calls of every operation, and more until they are `in_all`."""
        operations = list(operations_of(self.document))
        for _ in range(at_least):
            for path, method, operation in operations:
                yield self._attack(path, method, operation)
        for _ in range(max(0, in_all - at_least * len(operations))):
            yield self._attack(*self.random.choice(operations))

    def _attack(self, path: str, method: str, operation: JsonObject) -> Attack:
        names = names_of(self.others)
        if self.random.random() < 0.3:
            names["tenant"] = self.own.tenant  # their things below our own name
        elif self.random.random() < 0.2:
            names["tenant"] = self._disguised(self.others.tenant)
        if self.random.random() < 0.15:
            names |= {"app": "_", "version": "1"}
        url = re.sub(r"{(\w+)}", lambda match: quote(str(names[match[1]]), safe="%"), path)
        query = self._query(operation)
        body = self._body(operation)
        return Attack(
            operation["operationId"],
            method.upper(),
            f"{url}?{urlencode(query)}" if query else url,
            self._headers(),
            body,
        )

    def _query(self, operation: JsonObject) -> list[tuple[str, str]]:
        theirs = queries_of(self.others)
        declared = [p["name"] for p in operation["parameters"] if p["in"] == "query"]
        chosen = [name for name in declared if name in theirs and self.random.random() < 0.5]
        query = [(name, theirs[name]) for name in chosen]
        cursor = self.cursors.get(operation["operationId"])
        if cursor is not None and "after" in declared and self.random.random() < 0.4:
            query.append(("after", cursor))
        if self.random.random() < 0.15:
            query.append((self.random.choice(ODD), self.others.tenant))
        if self.random.random() < 0.05 and query:
            query.append(query[0])
        return query

    def _body(self, operation: JsonObject) -> Any:
        if "requestBody" not in operation:
            return None
        body = dict(bodies_of(self.others)[operation["operationId"]])
        if self.random.random() < 0.3:
            body[self.random.choice(("tenant", "tenant_id", "id", "owner_tenant"))] = self.random.choice(
                (self.others.tenant, self.others.key)
            )
        return body

    def _headers(self) -> dict[str, str]:
        theirs = {
            "X-Tenant": self.others.tenant,
            "X-Tenant-Id": str(self.others.key),
            "X-Promptshield-Tenant": self.others.tenant,
            "X-Original-URL": f"/api/v1/tenants/{self.others.tenant}",
            "X-Rewrite-URL": f"/api/v1/tenants/{self.others.tenant}",
            "X-HTTP-Method-Override": "DELETE",
            "X-Forwarded-User": f"u-{self.others.tenant}",
            "X-Forwarded-For": "127.0.0.1",
            "Cookie": f"tenant={self.others.tenant}; session=1",
            "Host": f"{self.others.tenant}.example",
        }
        return {name: value for name, value in theirs.items() if self.random.random() < 0.1}

    def _disguised(self, slug: str) -> str:
        return self.random.choice(
            (
                slug.upper(),
                f"{slug}%20",
                f"%2e%2e/{slug}",
                f"{slug}%00",
                f"{slug}/",
                f"./{slug}",
                f"{slug};",
                f"{slug}%2f",
            )
        )


def operations_of(document: JsonObject) -> Iterator[tuple[str, str, JsonObject]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def names_of(stock: Stock) -> JsonObject:
    return {
        "tenant": stock.tenant, "app": stock.app, "key": stock.key, "decision": stock.decision,
        "incident": stock.incident, "version": stock.version, "user": stock.user, "account": stock.account,
        "judge": "judge", "issuer": stock.issuer,
    }  # fmt: skip


def queries_of(stock: Stock) -> dict[str, str]:
    return {
        "tenant": stock.tenant, "app": stock.app, "key": str(stock.key), "model": stock.model,
        "request_id": stock.request_id, "policy": stock.tenant, "value": stock.model, "by": "model", "limit": "200",
        "since": "2020-01-01T00:00:00Z", "user": str(stock.user), "target": stock.tenant, "actor": "ada",
    }  # fmt: skip


def bodies_of(stock: Stock) -> dict[str, JsonObject]:
    """Bodies that are right for a tenant, by operation."""
    number = stock.key
    return {
        "createApp": {"name": f"app-{number}"},
        "addExclusion": {"rule": "PS-INJ-001", "origin": "system", "until": SOON, **WHY},
        "markFalsePositive": {"until": SOON, **WHY},
        "labelDecision": {"label": "attack"},
        "openIncident": {"title": "something odd", "decisions": [stock.decision]},
        "changeIncident": {"note": "looked at it", "assignee": "ada", "decisions": [stock.quiet_decision]},
        "createKey": {"app": stock.app, "additional": True},
        "changeKey": {"scopes": ["openai"]},
        "rotateKey": {"overlap_minutes": 5},
        "tryText": {"text": "hello", "app": stock.app},
        "savePolicyDraft": {"content": POLICY, **WHY},
        "activatePolicyVersion": WHY,
        "rollBackPolicy": {**WHY, "to": stock.version},
        "withdrawPolicy": WHY,
        "checkPolicy": {"content": POLICY},
        "testPolicy": {"version": stock.version},
        "diffPolicy": {"version": stock.version},
        "replayPolicy": {"version": stock.version, "days": 1},
        "releaseReview": WHY,
        "rejectReview": WHY,
        "createServiceAccount": {"name": f"program-{number}", "role": "analyst", "tenant": stock.tenant},
        "rotateServiceAccount": {},
        "createIssuer": {"issuer": "https://other.example", "audience": "a", "jwks_url": "https://other.example/keys"},
        "createTenant": {"slug": f"tenant-{number}"},
        "changeTenant": {"name": "Renamed"},
        "suspendTenant": WHY,
        "deleteTenant": WHY,
        "purgeTenant": WHY,
        "createUser": {"name": f"user-{number}", "role": "analyst", "tenant": stock.tenant},
        "changeUser": {"role": "tenant_admin"},
    }
