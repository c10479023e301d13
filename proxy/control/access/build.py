"""Where the parts of access are put together."""

from __future__ import annotations

import time
from collections.abc import Callable

from proxy.control.access.conditions import build_conditions
from proxy.control.access.oidc import OidcSignIn
from proxy.control.access.oidc_provider import OidcProvider
from proxy.control.access.one_time import OneTimeCodes
from proxy.control.access.parts import Access
from proxy.control.access.passwords import Passwords
from proxy.control.access.tokens import AccessTokens
from proxy.settings import Settings
from storage.accounts.admin_audit import AdminAudit
from storage.accounts.sealing import hash_token
from storage.accounts.second_factors import SecondFactors
from storage.accounts.service_accounts import ServiceAccounts
from storage.accounts.sessions import SessionStore
from storage.accounts.throttle import Throttle
from storage.accounts.token_keys import TokenKeys
from storage.accounts.users import UserStore
from storage.accounts.waiting import WaitingSignIns
from storage.keys.house_keys import HouseKeys
from storage.postgres import Database

__all__ = ["Access", "build_access"]


def build_access(
    settings: Settings, database: Database, house_keys: HouseKeys, clock: Callable[[], float] = time.time
) -> Access:
    """Return the parts of access. The database is the caller's to close; so is what `oidc` opens."""
    control, key = settings.control, house_keys.access_key
    second_factors = SecondFactors(database, key("second factors"))
    waiting = WaitingSignIns(database, key("waiting"))
    users = UserStore(database)
    master_key = key("master")
    return Access(
        settings=control,
        database=database,
        users=users,
        sessions=SessionStore(database, key("sessions"), control.sessions.idle, control.sessions.absolute),
        second_factors=second_factors,
        codes=OneTimeCodes(second_factors, clock),
        waiting=waiting,
        throttle=Throttle(database, key("throttle")),
        service_accounts=ServiceAccounts(database, key("service accounts")),
        tokens=AccessTokens(TokenKeys(database, key("token keys")), f"promptshield:{house_keys.fingerprint()}", clock),
        passwords=Passwords(),
        audit=AdminAudit(database),
        conditions=build_conditions(control.conditions),
        oidc=None if control.oidc is None else OidcSignIn(control.oidc, OidcProvider(control.oidc), waiting, clock),
        csrf_key=key("csrf"),
        master_key=master_key,
        master=hash_token(master_key, settings.master_key) if settings.master_key else None,
        clock=clock,
    )
