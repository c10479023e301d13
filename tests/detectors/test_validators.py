"""Signatures call checks by names, and each name has one."""

from __future__ import annotations

from detectors.national_ids import NATIONAL_IDS
from detectors.orders import ORDERS
from detectors.person_checks import PERSONS
from detectors.rules import load_signatures
from detectors.secret_checks import SECRETS
from detectors.topics import TOPICS
from detectors.validators import VALIDATORS


def test_no_name_is_given_twice() -> None:
    assert len(VALIDATORS) == len(NATIONAL_IDS) + len(PERSONS) + len(SECRETS) + len(ORDERS) + len(TOPICS) + 1


def test_every_check_is_asked_for_by_a_signature() -> None:
    assert {signature.validator for signature in load_signatures().signatures} - {None} == set(VALIDATORS)
