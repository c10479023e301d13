"""A tenant's own issuers of tokens for the data plane."""

from __future__ import annotations

from typing import Final

from proxy.control.access.types import Permission
from proxy.control.answers.issuers import IssuerList, NewIssuer, ShownIssuer
from proxy.control.fields import Done
from proxy.control.operations import Call, Operation, not_found
from storage.tenants.issuers import KeptIssuer, TenantIssuers
from storage.tenants.issuers import NewIssuer as Kept

_ALL: Final = "/api/v1/tenants/{tenant}/issuers"


async def _list(call: Call) -> IssuerList:
    found = await TenantIssuers(call.parts.database).list(call.the_tenant().id)
    return IssuerList(items=[_shown(issuer) for issuer in found])


async def _create(call: Call) -> ShownIssuer:
    new = call.sent(NewIssuer)
    made = await TenantIssuers(call.parts.database).create(call.the_tenant().id, Kept(**new.model_dump()))
    call.note(f"{call.the_tenant().slug}/{made.issuer}", after=new.model_dump(exclude={"jwks"}))
    return _shown(made)


async def _remove(call: Call) -> Done:
    number, issuers = call.number("issuer"), TenantIssuers(call.parts.database)
    found = next((one for one in await issuers.list(call.the_tenant().id) if one.id == number), None)
    if found is None or not await issuers.remove(call.the_tenant().id, number):
        raise not_found()
    call.note(f"{call.the_tenant().slug}/{found.issuer}", before={"audience": found.audience})
    return Done()


def _shown(issuer: KeptIssuer) -> ShownIssuer:
    return ShownIssuer.model_validate(issuer, from_attributes=True)


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "listIssuers", "GET", _ALL, Permission.ISSUERS_READ, "List whose tokens count as a tenant's.", IssuerList, _list
    ),
    Operation(
        "createIssuer", "POST", _ALL, Permission.ISSUERS_WRITE, "Take an issuer's tokens in the place of API keys.",
        ShownIssuer, _create, 201, NewIssuer,
    ),
    Operation(
        "removeIssuer", "DELETE", f"{_ALL}/{{issuer}}", Permission.ISSUERS_WRITE, "Take its tokens no more.", Done,
        _remove,
    ),
)  # fmt: skip
