"""The parts of access that every request to the control plane needs, put together once by build.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from proxy.control.access.conditions import Condition
from proxy.control.access.oidc import OidcSignIn
from proxy.control.access.one_time import OneTimeCodes
from proxy.control.access.passwords import Passwords
from proxy.control.access.tokens import AccessTokens
from proxy.control.denials import Denials
from proxy.control.settings import ControlSettings
from storage.accounts.admin_audit import AdminAudit
from storage.accounts.second_factors import SecondFactors
from storage.accounts.service_accounts import ServiceAccounts
from storage.accounts.sessions import SessionStore
from storage.accounts.throttle import Throttle
from storage.accounts.users import UserStore
from storage.accounts.waiting import WaitingSignIns
from storage.postgres import Database


@dataclass(frozen=True, slots=True)
class Access:
    """What signing in, guarding and recording work with. `clock` is in epoch seconds.

    A sign-in that fails takes `shortest_failure` seconds at least, so that its time tells nothing of why; `failures`
    bounds what the audit says of them.
    `master` is the hash of the first administrator's credential, None if there is none; `sign_ins` counts results.
    """

    settings: ControlSettings
    database: Database
    users: UserStore
    sessions: SessionStore
    second_factors: SecondFactors
    codes: OneTimeCodes
    waiting: WaitingSignIns
    throttle: Throttle
    service_accounts: ServiceAccounts
    tokens: AccessTokens
    passwords: Passwords
    audit: AdminAudit
    conditions: tuple[Condition, ...]
    oidc: OidcSignIn | None
    csrf_key: bytes
    master_key: bytes
    master: bytes | None
    clock: Callable[[], float]
    shortest_failure: float = 0.3
    failures: Denials = field(default_factory=Denials)
    sign_ins: Counter[str] = field(default_factory=Counter)
