"""Checks that a regular expression cannot make: checksums, number plans, entropy; signatures ask for them by name."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import phonenumbers
from stdnum import iban, luhn
from stdnum.exceptions import ValidationError
from stdnum.us import ssn

Validator = Callable[[str], bool]


def _luhn(found: str) -> bool:
    digits = re.sub(r"\D", "", found)
    # A row of one digit passes Luhn and is nobody's card.
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and luhn.is_valid(digits)


def _iban(found: str) -> bool:
    return bool(iban.is_valid(found))


def _us_ssn(found: str) -> bool:
    try:
        ssn.validate(found)
    except ValidationError:
        return False
    return True


def _phone(found: str) -> bool:
    # Without a country code the North American plan is assumed: it is the one written with separators.
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(found, None if found.startswith("+") else "US"))
    except phonenumbers.NumberParseException:
        return False


def _random(found: str) -> bool:
    """Letters and digits as a generator makes them: at least 3 bits of Shannon entropy a character, and no filler."""
    counts = Counter(found)
    bits = -sum(n / len(found) * math.log2(n / len(found)) for n in counts.values())
    return bits >= 3.0 and not re.search(r"(?i)example|placeholder|your[_-]?|xxxx|0{6}|\.\.\.", found)


VALIDATORS: Final[Mapping[str, Validator]] = {
    "luhn": _luhn,
    "iban": _iban,
    "us_ssn": _us_ssn,
    "phone": _phone,
    "random": _random,
}
