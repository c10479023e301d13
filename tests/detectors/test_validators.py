"""Signatures call checks by names, and each name has one."""

from __future__ import annotations

from detectors.national_ids import NATIONAL_IDS
from detectors.orders import ORDERS
from detectors.person_checks import PERSONS
from detectors.rules import load_signatures
from detectors.secret_checks import SECRETS
from detectors.things import THINGS
from detectors.topics import TOPICS
from detectors.validators import VALIDATORS


def test_no_name_is_given_twice() -> None:
    tables = (NATIONAL_IDS, PERSONS, SECRETS, ORDERS, THINGS, TOPICS)
    assert len(VALIDATORS) == sum(map(len, tables)) + 1


def test_every_check_is_asked_for_by_a_signature() -> None:
    assert {signature.validator for signature in load_signatures().signatures} - {None} == set(VALIDATORS)
