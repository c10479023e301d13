"""Made-up data of people who do not exist; numbers end in check digits worked out here, by no detector's code."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from random import Random  # noqa: TID251 - a seeded set, not a secret
from typing import Final

from tests.labelled.check_digits import day_of_birth, digits_of, dot, luhn_digit, shown, text_of
from tests.labelled.credential_values import of
from tests.labelled.state_numbers import STATE_NUMBERS

Maker = Callable[[Random], str]

FIRST: Final = (
    "Anna Jonas Maria Liam Fatima Chidi Yuki Elena Mateo Sofia Lars Ingrid Piotr Agnieszka João Beatriz Luca Giulia"
    " Pierre Camille Lukas Hannah Sven Astrid Omar Leila Ravi Priya Wei Mei Carlos Lucía Noah Emma Willem Sanne Deniz"
    " Ayşe Nikos Ioana Zuzana Marek"
).split()
LAST: Final = (
    "Lindqvist Okafor Müller Schneider Rossi Bianchi Dubois Lefèvre García Fernández Silva Pereira Kowalski Nowak Smith"
    " Johnson Nguyen Tanaka Suzuki Kim Patel Sharma Haddad Yılmaz Jansen Bakker Andersson Hansen Nielsen Virtanen Novák"
    " Popescu Petrov Papadopoulos O'Brien Walker Thompson Meyer-Lang Horvat Kovács"
).split()


def full_name(rng: Random) -> str:
    return f"{rng.choice(FIRST)} {rng.choice(LAST)}"


def card(rng: Random) -> str:
    prefix, length, groups = rng.choice([
        ("4", 16, (4, 4, 4, 4)), ("51", 16, (4, 4, 4, 4)), ("55", 16, (4, 4, 4, 4)), ("2720", 16, (4, 4, 4, 4)),
        ("37", 15, (4, 6, 5)), ("6011", 16, (4, 4, 4, 4)), ("3530", 16, (4, 4, 4, 4)),
    ])  # fmt: skip
    digits = [*map(int, prefix), *digits_of(rng, length - len(prefix) - 1)]
    return shown(text_of([*digits, luhn_digit(digits)]), groups, rng.choice([" ", "-", ""]))


def _spanish_account(rng: Random) -> str:
    """Bank and branch have a check digit, and so has the account, both by the same weights."""
    bank, account = digits_of(rng, 8), digits_of(rng, 10)
    weights = (1, 2, 4, 8, 5, 10, 9, 7, 3, 6)
    checks = [11 - dot(part, weights[-len(part) :]) % 11 for part in (bank, account)]
    return text_of([*bank, *(11 - check if check > 9 else check for check in checks), *account])


def _belgian_account(rng: Random) -> str:
    body = 539 * 10**7 + rng.randrange(10**7)
    return f"{body}{body % 97 or 97:02}"


_ACCOUNTS: Final[tuple[tuple[str, Maker], ...]] = (
    ("DE", of("<d18>")), ("NL", of("INGB<d10>")), ("GB", of("NWBK<d14>")), ("AT", of("<d16>")), ("CH", of("<d5><U12>")),
    ("SE", of("<d20>")), ("IE", of("AIBK<d14>")), ("ES", _spanish_account), ("BE", _belgian_account),
)  # fmt: skip


def iban(rng: Random) -> str:
    country, account = rng.choice(_ACCOUNTS)
    body = account(rng)
    number = int("".join(str(int(c, 36)) for c in f"{body}{country}00"))
    whole = f"{country}{98 - number % 97:02}{body}"
    return rng.choice([whole, " ".join(whole[i : i + 4] for i in range(0, len(whole), 4))])


_INTERNATIONAL: Final = (
    "+49 30 90<d4>", "+49 151 2<d3> <d4>", "+44 20 7946 0<d3>", "+44 7400 1<d5>", "+33 6 12 <d2> <d2> <d2>",
    "+34 612 <d3> <d3>", "+39 333 <d3> <d4>", "+31 6 1234 <d4>", "+1 212-555-01<d2>", "+1 (415) 555-01<d2>",
    "+48 601 <d3> <d3>", "+351 912 <d3> <d3>", "+55 11 98765-<d4>", "+91 98450 <d5>", "+81 90-1234-<d4>", "+61 412 <d3> <d3>",
    "+46 70 123 <d2> <d2>", "+43 664 1<d2> <d4>", "+41 79 123 <d2> <d2>", "+90 532 123 <d2> <d2>",
)  # fmt: skip
_AMERICAN: Final = ("(212) 555-01<d2>", "415-555-26<d2>", "312.555.01<d2>", "1-617-555-01<d2>")
_NATIONAL: Final = (
    "020 7946 0<d3>", "07400 1<d5>", "030 90<d4>", "0151 2345<d4>", "01 42 68 <d2> <d2>", "06 12 34 <d2> <d2>",
    "612 345 <d3>", "91 345 <d2> <d2>", "333 123 4<d3>", "06 1234 5<d3>", "601 234 <d3>", "98450 12<d3>", "2125550<d3>",
)  # fmt: skip


def _one_of(forms: Sequence[str]) -> Maker:
    made = [of(form) for form in forms]
    return lambda rng: rng.choice(made)(rng)


def email(rng: Random) -> str:
    name, other = rng.choice(FIRST).lower(), rng.choice(LAST).lower()
    name, other = (w.encode("ascii", "ignore").decode().replace("'", "") for w in (name, other))
    host = rng.choice(["mail.example", "acme.example", "example.org", "post.example.com", "uni-nord.example"])
    return (
        f"{rng.choice([f'{name}.{other}', f'{name}{rng.randint(1, 99)}', f'{name[0]}_{other}', f'{name}+news'])}@{host}"
    )


def birthday(rng: Random) -> str:
    year, month, day = day_of_birth(rng)
    names = "January February March April May June July August September October November December".split()
    return rng.choice([
        f"{year}-{month:02}-{day:02}", f"{day:02}/{month:02}/{year}", f"{day}.{month}.{year}", f"{day} {names[month - 1]} {year}",
        f"{names[month - 1]} {day}, {year}",
    ])  # fmt: skip


def address(rng: Random) -> str:
    number, five = rng.randint(1, 240), rng.randint(10000, 99999)
    return rng.choice([
        f"{number} Maple Street, Springfield, IL {five}", f"{number} North Oak Avenue", f"{number} Church Road, Leeds LS{number % 9 + 1} 4AB",
        f"Lindenstraße {number}, {five} Berlin", f"Am Birkenweg {number % 60 + 1}a, {five} Köln", f"Prinsengracht {number}, 1016 GV Amsterdam",
        f"{number} rue de la République, {five} Lyon", f"{number} avenue Victor Hugo, 75016 Paris", f"Calle de Alcalá {number}, 28014 Madrid",
        f"Via Garibaldi {number}, 20121 Milano", f"Rua Augusta {number}, 1100-048 Lisboa", f"ul. Polna {number}, 00-{five % 900 + 100} Warszawa",
        f"Kungsgatan {number}, 111 43 Stockholm",
    ])  # fmt: skip


def public_ip(rng: Random) -> str:
    if rng.random() < 0.3:
        return of(f"2a0{rng.randint(1, 9)}:<h4>:1<h3>:2<h3>:3<h3>:4<h3>:5<h3>:6<h3>")(rng)
    return f"{rng.choice([45, 62, 78, 83, 91, 134, 151, 188, 203, 212])}.{rng.randint(32, 250)}.{rng.randint(1, 250)}.{rng.randint(32, 254)}"


def position(rng: Random) -> str:
    return f"{rng.uniform(-60, 70):.5f}, {rng.uniform(-170, 170):.5f}"


def _base58(data: bytes) -> str:
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    number, text = int.from_bytes(data), ""
    while number:
        number, rest = divmod(number, 58)
        text = alphabet[rest] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def wallet(rng: Random) -> str:
    data = bytes([rng.choice([0, 5])]) + rng.randbytes(20)
    return _base58(data + hashlib.sha256(hashlib.sha256(data).digest()).digest()[:4])


def us_ssn(rng: Random) -> str:
    return f"{rng.randint(100, 665):03}-{rng.randint(10, 99):02}-{rng.randint(1000, 9999):04}"


def routing(rng: Random) -> str:
    digits = [0, rng.randint(1, 9), *digits_of(rng, 6)]
    return text_of([*digits, -dot(digits, (3, 7, 1, 3, 7, 1, 3, 7)) % 10])


def imei(rng: Random) -> str:
    digits = [3, 5, *digits_of(rng, 12)]
    return text_of([*digits, luhn_digit(digits)])


VALUES: Final[Mapping[str, Maker]] = {
    "EMAIL": email, "PAYMENT_CARD": card, "IBAN": iban, "PHONE": _one_of([*_INTERNATIONAL, *_AMERICAN]),
    "PHONE_NATIONAL": _one_of(_NATIONAL), "PERSON_NAME": full_name, "LAST_NAME": lambda rng: rng.choice(LAST),
    "DATE_OF_BIRTH": birthday, "POSTAL_ADDRESS": address, "IP_ADDRESS": public_ip, "GEO_POSITION": position,
    "MAC_ADDRESS": of("3c:22:fb:<h2>:<h2>:<h2>"), "CRYPTO_WALLET": wallet, "PASSPORT": _one_of(["<d9>", "C<d8>", "PA<d7>"]),
    "DRIVING_LICENCE": _one_of(["D<d7>", "MORGA<d6>SM9IJ", "<d10>"]), "MEDICAL_RECORD_NUMBER": _one_of(["<d8>", "MR<d7>"]),
    "HEALTH_INSURANCE_ID": _one_of(["XGH<d9>", "A<d9>", "1EG4-TE5-MK<d2>"]), "VEHICLE_ID": of("WVWZZZ1JZ3W<d6>"),
    "LICENCE_PLATE": _one_of(["B-MW 4<d3>", "7ABC<d3>", "AB-1<d2>-CD"]), "BANK_ACCOUNT": of("1<d9>"), "BANK_ROUTING": routing,
    "SORT_CODE": of("20-<d2>-<d2>"), "BIC": _one_of(["COBADEFFXXX", "DEUTDEFF", "BNPAFRPP", "INGBNL2A"]),
    "CARD_SECURITY_CODE": of("<d3>"), "IMEI": imei, "US_SSN": us_ssn,
    **STATE_NUMBERS,
}  # fmt: skip
SAME_KIND: Final = {"PHONE_NATIONAL": "PHONE", "LAST_NAME": "PERSON_NAME"}
