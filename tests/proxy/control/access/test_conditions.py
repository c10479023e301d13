"""Conditions of access: from where, when, and with what."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from proxy.control.access.conditions import Surroundings, build_conditions, granted
from proxy.control.access.matrix import MATRIX
from proxy.control.access.types import AdminRole, Permission
from proxy.control.settings import ConditionSettings

NOON = datetime(2027, 3, 1, 12, 0, tzinfo=UTC).timestamp()  # a Monday
NIGHT = datetime(2027, 3, 1, 23, 0, tzinfo=UTC).timestamp()
ADMIN = AdminRole.PLATFORM_ADMIN


def given(here: str = "10.1.2.3", at: float = NOON, **settings: Any) -> frozenset[Permission]:
    conditions = build_conditions([ConditionSettings(**settings)])
    return granted(ADMIN, conditions, Surroundings(here, at, second_factor=False))


def test_without_conditions_the_matrix_counts() -> None:
    assert granted(ADMIN, (), Surroundings("", 0, second_factor=False)) == MATRIX[ADMIN]


def test_a_network_withholds_what_it_names_elsewhere() -> None:
    settings: dict[str, Any] = {"network": ["10.0.0.0/8"], "permissions": ["*:write", "tenants:purge"]}
    assert given(**settings) == MATRIX[ADMIN]
    outside = given("192.0.2.1", **settings)
    assert Permission.USERS_READ in outside
    assert Permission.USERS_WRITE not in outside
    assert Permission.TENANTS_PURGE not in outside
    assert given("", **settings) == outside, "an unknown address lies in no network"


def test_the_documented_network_leaves_nothing_but_looking_elsewhere() -> None:
    text = (Path(__file__).parents[4] / "docs" / "access.md").read_text()
    example = re.search(r"permissions: \[(.*)\], network: \[10.0.0.0/8\]} +# change things from the office only", text)
    assert example is not None
    permissions = re.findall(r'"([^"]+)"', example.group(1))
    outside = given("192.0.2.1", permissions=permissions, network=["10.0.0.0/8"])
    assert outside == {permission for permission in MATRIX[ADMIN] if permission.endswith(":read")}


def test_a_second_factor_is_asked_for() -> None:
    conditions = build_conditions([ConditionSettings(second_factor=True)])
    assert granted(ADMIN, conditions, Surroundings("10.1.2.3", NOON, second_factor=False)) == set()
    assert granted(ADMIN, conditions, Surroundings("10.1.2.3", NOON, second_factor=True)) == MATRIX[ADMIN]


def test_the_time_of_day_counts_in_its_zone() -> None:
    time = {"from": "08:00", "to": "18:00", "zone": "Europe/Berlin", "days": ["mon"]}
    assert given(time=time) == MATRIX[ADMIN]
    assert given(at=NIGHT, time=time) == set()


def test_other_roles_are_left_alone_and_conditions_add_up() -> None:
    conditions = build_conditions(
        [
            ConditionSettings(roles=[AdminRole.ANALYST], network=["10.0.0.0/8"]),
            ConditionSettings(permissions=["bodies:*"], second_factor=True),
        ]
    )
    around = Surroundings("192.0.2.1", NOON, second_factor=False)
    assert granted(ADMIN, conditions, around) == MATRIX[ADMIN] - {Permission.BODIES_READ}
    assert granted(AdminRole.ANALYST, conditions, around) == set()


@pytest.mark.parametrize(
    "settings",
    [
        {}, {"permissions": ["users:fly"], "second_factor": True}, {"permissions": ["x"], "second_factor": True},
        {"network": ["10.0.0.1/8"]}, {"network": []}, {"roles": ["king"], "second_factor": True}, {"mfa": True},
    ],
)  # fmt: skip
def test_a_condition_that_says_nothing_or_nonsense_does_not_load(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ConditionSettings(**settings)
