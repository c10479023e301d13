"""A tenant's issuers as operations."""

from __future__ import annotations

import pytest

from proxy.control.access.types import AdminRole
from tests.proxy.control.house import House, principal, refused

pytestmark = pytest.mark.slow  # a database of their own

BODY = {"issuer": "https://id.acme.example", "audience": "llm", "jwks_url": "https://id.acme.example/jwks"}


async def test_an_issuer_is_added_and_removed_by_the_platform_and_seen_by_its_tenant(house: House) -> None:
    names = {"tenant": house.acme.slug}
    with refused(403):
        await house.do("createIssuer", names, body=BODY)
    made = await house.do("createIssuer", names, body=BODY | {"claims": {"scope": "chat"}}, by=house.chief)
    assert (made.audience, made.claims) == ("llm", {"scope": "chat"})
    assert [issuer.id for issuer in (await house.do("listIssuers", names)).items] == [made.id]
    one = {"issuer": str(made.id)}
    with refused(404):
        await house.do("removeIssuer", {"tenant": house.globex.slug, **one}, by=house.chief)
    with refused(404):
        await house.do("removeIssuer", {"tenant": house.acme.slug, **one}, by=house.admin(house.globex))
    await house.do("removeIssuer", {**names, **one}, by=house.chief)
    assert (await house.do("listIssuers", names)).items == []


async def test_what_could_not_be_verified_is_refused(house: House) -> None:
    names = {"tenant": house.acme.slug}
    with refused(409, "refused"):
        await house.do("createIssuer", names, body=BODY | {"jwks_url": None}, by=house.chief)
    with refused(422):
        await house.do("createIssuer", names, body=BODY | {"issuer": "a\nb"}, by=house.chief)
    with refused(403):
        await house.do("createIssuer", names, body=BODY, by=principal(AdminRole.ANALYST, house.acme))
