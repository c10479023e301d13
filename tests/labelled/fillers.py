"""What looks like a secret or a person's number and is neither: identifiers, hashes, versions, measurements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random  # noqa: TID251 - a seeded set, not a secret
from typing import Final

from tests.labelled.credential_values import of

Maker = Callable[[Random], str]


def _uuid(rng: Random) -> str:
    return of("<h8>-<h4>-4<h3>-a<h3>-<h12>")(rng)


def _version(rng: Random) -> str:
    return f"{rng.randint(0, 20)}.{rng.randint(0, 40)}.{rng.randint(0, 30)}"


def _date(rng: Random) -> str:
    return f"{rng.randint(2019, 2026)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"


def _isbn(rng: Random) -> str:
    digits = [9, 7, 8, *(rng.randint(0, 9) for _ in range(9))]
    check = -sum(d * (3 if i % 2 else 1) for i, d in enumerate(digits)) % 10
    text = "".join(map(str, [*digits, check]))
    return f"{text[:3]}-{text[3]}-{text[4:8]}-{text[8:12]}-{text[12]}"


def _number(digits: int) -> Maker:
    return lambda rng: str(rng.randrange(10 ** (digits - 1), 10**digits))


FILLERS: Final[Mapping[str, Maker]] = {
    "uuid": _uuid, "sha1": of("<h40>"), "sha256": of("<h64>"), "md5": of("<h32>"), "hex32": of("<h32>"),
    "hex16": of("<h16>"), "short": of("<h7>"), "short2": of("<h7>"), "css": of("<h6>"), "css2": of("<h3>"),
    "b64line": of("<b64>"), "b64line2": of("<b64>"), "b64short": of("<b43>"), "b64long": of("<b160>"),
    "mac64": of("<h64>"), "bech": of("<l58>"), "ver": _version, "date": _date, "isbn": _isbn,
    "order": lambda rng: "".join(rng.choices("0123456789", k=rng.choice([10, 12, 14, 16]))),
    "none": lambda _: "none", "nothing": lambda _: "~",
    **{f"n{digits}": _number(digits) for digits in range(1, 17)},
}  # fmt: skip
