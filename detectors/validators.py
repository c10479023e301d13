"""The checks that a regular expression cannot make, by the names that signatures call them: `validate: iban`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from detectors.national_ids import NATIONAL_IDS
from detectors.orders import ORDERS
from detectors.person_checks import PERSONS
from detectors.secret_checks import SECRETS
from detectors.things import THINGS
from detectors.topics import TOPICS
from detectors.wallets import wallet

Validator = Callable[[str], bool]


def anything(found: str) -> bool:
    """Of some matches only their surroundings say what they are."""
    del found
    return True


VALIDATORS: Final[Mapping[str, Validator]] = {
    **NATIONAL_IDS,
    **PERSONS,
    **SECRETS,
    **dict.fromkeys((*ORDERS, *THINGS, *TOPICS), anything),
    "wallet": wallet,
}
