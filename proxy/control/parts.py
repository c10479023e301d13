"""What operations of the control plane work with, put together once by `plane.py`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from policies.store import PolicyStore
from proxy.additions.operator_packs import OperatorPacks
from proxy.app import Detection
from proxy.control.access.build import Access
from proxy.control.denials import Denials
from proxy.control.sums import Sums
from proxy.screen import Screen
from proxy.settings import Settings
from storage.keys.data_keys import DataKeys
from storage.keys.house_keys import HouseKeys
from storage.postgres import Database
from storage.redis_client import RedisClient


@dataclass(frozen=True, slots=True)
class ControlParts:
    """`policies` are those in force, as this process sees them; `redis` is the workers', for what they share."""

    settings: Settings
    database: Database
    redis: RedisClient
    house_keys: HouseKeys
    data_keys: DataKeys
    policies: PolicyStore
    signatures: OperatorPacks
    detection: Detection
    screen: Screen
    sums: Sums
    access: Access
    trials: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(4))  # policies tried at once
    denials: Denials = field(default_factory=Denials)
