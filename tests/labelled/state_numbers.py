"""Made-up numbers of states; each ends in the check digits of its country, worked out here and by no detector's code."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from random import Random  # noqa: TID251 - a seeded set, not a secret
from typing import Final

from tests.labelled.check_digits import day_of_birth, digits_of, dot, luhn_digit, shown, text_of

Maker = Callable[[Random], str]


def _yymmdd(rng: Random) -> str:
    year, month, day = day_of_birth(rng)
    return f"{year % 100:02}{month:02}{day:02}"


def uk_nino(rng: Random) -> str:
    text = (
        f"{rng.choice('ABCEGHJKLMPRSTWXYZ')}{rng.choice('ABCEHJLMPRSWXY')}{rng.randrange(10**6):06}{rng.choice('ABCD')}"
    )
    text = text if text[:2] not in {"BG", "GB", "ZZ"} else "AB" + text[2:]
    return rng.choice([text, shown(text, (2, 2, 2, 2), " ")])


def uk_nhs(rng: Random) -> str:
    while True:
        digits = [rng.choice([4, 6, 7, 9]), *digits_of(rng, 8)]
        check = 11 - dot(digits, range(10, 1, -1)) % 11
        if check != 10:
            return shown(text_of([*digits, check % 11]), (3, 3, 4), rng.choice([" ", ""]))


def de_tax_id(rng: Random) -> str:
    digits = rng.sample(range(1, 10), 9)
    digits = [*digits[:3], digits[0], *digits[3:]]
    product = 10
    for digit in digits:
        total = (digit + product) % 10 or 10
        product = total * 2 % 11
    return text_of([*digits, (11 - product) % 10])


def fr_nir(rng: Random) -> str:
    body = f"{rng.choice('12')}{rng.randint(40, 99)}{rng.randint(1, 12):02}{rng.randint(1, 89):02}{rng.randint(1, 400):03}{rng.randint(1, 900):03}"
    whole = f"{body}{97 - int(body) % 97:02}"
    return rng.choice([whole, shown(whole, (1, 2, 2, 2, 3, 3, 2), " ")])


def es_dni(rng: Random) -> str:
    number = rng.randrange(10**7, 10**8)
    return f"{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


def it_fiscal_code(rng: Random) -> str:
    month, letters = rng.choice("ABCDEHLMPRST"), "BCDFGLMNPRSTV"
    body = (
        "".join(rng.choices(letters, k=6))
        + f"{rng.randint(40, 99)}{month}{rng.randint(1, 28):02}{rng.choice('ABCDFGHL')}{rng.randint(100, 899)}"
    )
    odd = dict(zip(string.digits + string.ascii_uppercase, (
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
    ), strict=True))  # fmt: skip
    total = sum(odd[c] if i % 2 == 0 else int(c, 36) - (0 if c.isdigit() else 10) for i, c in enumerate(body))
    return body + string.ascii_uppercase[total % 26]


def nl_bsn(rng: Random) -> str:
    while True:
        digits = [rng.randint(1, 9), *digits_of(rng, 7)]
        check = dot(digits, range(9, 1, -1)) % 11
        if check < 10:
            return text_of([*digits, check])


def be_national(rng: Random) -> str:
    body = f"{_yymmdd(rng)}{rng.randint(1, 997):03}"
    year = int(body[:2])
    check = 97 - int(body if year >= 40 else f"2{body}") % 97
    text = f"{body}{check:02}"
    return rng.choice([text, f"{text[:2]}.{text[2:4]}.{text[4:6]}-{text[6:9]}.{text[9:]}"])


def at_insurance(rng: Random) -> str:
    while True:
        serial, born = [rng.randint(1, 9), *digits_of(rng, 2)], _yymmdd(rng)
        born = born[4:] + born[2:4] + born[:2]
        check = dot([*serial, *map(int, born)], (3, 7, 9, 5, 8, 4, 2, 1, 6)) % 11
        if check < 10:
            return f"{text_of(serial)}{check}{rng.choice(['', ' '])}{born}"


def ch_ahv(rng: Random) -> str:
    digits = [7, 5, 6, *digits_of(rng, 9)]
    check = -sum(d * (3 if i % 2 else 1) for i, d in enumerate(digits)) % 10
    return shown(text_of([*digits, check]), (3, 4, 4, 2), rng.choice([".", ""]))


def pl_pesel(rng: Random) -> str:
    year, month, day = day_of_birth(rng)
    body = f"{year % 100:02}{month + (20 if year >= 2000 else 0):02}{day:02}{rng.randrange(10**4):04}"
    return body + str(-dot([int(c) for c in body], (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10)


def pt_nif(rng: Random) -> str:
    digits = [rng.choice([1, 2]), *digits_of(rng, 7)]
    check = 11 - dot(digits, range(9, 1, -1)) % 11
    return text_of([*digits, 0 if check > 9 else check])


def se_personnummer(rng: Random) -> str:
    body = f"{_yymmdd(rng)}{rng.randint(1, 998):03}"
    return f"{body[:6]}-{body[6:]}{luhn_digit([int(c) for c in body])}"


def fi_hetu(rng: Random) -> str:
    year, month, day = day_of_birth(rng)
    year = min(year, 1999)
    born, serial = f"{day:02}{month:02}{year % 100:02}", f"{rng.randint(2, 899):03}"
    return f"{born}-{serial}{'0123456789ABCDEFHJKLMNPRSTUVWXY'[int(born + serial) % 31]}"


def no_number(rng: Random) -> str:
    while True:
        year, month, day = day_of_birth(rng)
        if year > 1999:
            continue
        digits = [int(c) for c in f"{day:02}{month:02}{year % 100:02}{rng.randint(0, 499):03}"]
        first = -dot(digits, (3, 7, 6, 1, 8, 9, 4, 5, 2)) % 11
        second = -dot([*digits, first], (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
        if first < 10 and second < 10:
            return text_of([*digits, first, second])


def dk_cpr(rng: Random) -> str:
    year, month, day = day_of_birth(rng)
    year = min(year, 1999)
    return f"{day:02}{month:02}{year % 100:02}-{rng.randint(0, 3999):04}"


def cz_birth(rng: Random) -> str:
    while True:
        year, month, day = day_of_birth(rng)
        if not 1954 <= year <= 1999:
            continue
        body = int(f"{year % 100:02}{month + rng.choice([0, 50]):02}{day:02}{rng.randint(0, 999):03}")
        if body % 11 < 10:
            text = f"{body:09}{body % 11}"
            return f"{text[:6]}/{text[6:]}"


def tr_identity(rng: Random) -> str:
    digits = [rng.randint(1, 9), *digits_of(rng, 8)]
    tenth = (sum(digits[0:9:2]) * 7 - sum(digits[1:8:2])) % 10
    return text_of([*digits, tenth, (sum(digits) + tenth) % 10])


def za_identity(rng: Random) -> str:
    body = f"{_yymmdd(rng)}{rng.randrange(10**4):04}08"
    return body + str(luhn_digit([int(c) for c in body]))


_D5: Final = "0123456789 1234067895 2340178956 3401289567 4012395678 5987604321 6598710432 7659821043 8765932104 9876543210".split()
_P5: Final = "0123456789 1576283094 5803796142 8916043527 9453126870 4286573901 2793806415 7046913258".split()


def in_aadhaar(rng: Random) -> str:
    digits, check = [rng.randint(2, 9), *digits_of(rng, 10)], 0
    for i, digit in enumerate(reversed([*digits, 0])):
        check = int(_D5[check][int(_P5[i % 8][digit])])
    last = next(d for d in range(10) if _D5[check][d] == "0")
    return shown(text_of([*digits, last]), (4, 4, 4), rng.choice([" ", "-", ""]))


def cn_resident(rng: Random) -> str:
    year, month, day = day_of_birth(rng)
    body = f"{rng.choice(['110105', '310104', '440106', '510107'])}{year}{month:02}{day:02}{rng.randint(1, 999):03}"
    return body + "10X98765432"[dot([int(c) for c in body], (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)) % 11]


def kr_number(rng: Random) -> str:
    year, month, day = day_of_birth(rng)
    year = min(year, 1999)
    body = f"{year % 100:02}{month:02}{day:02}{rng.choice('12')}{rng.randint(0, 90):02}{rng.randint(1, 99):02}{rng.randint(1, 9)}"
    check = (11 - dot([int(c) for c in body], (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10
    return f"{body[:6]}-{body[6:]}{check}"


def jp_number(rng: Random) -> str:
    digits = digits_of(rng, 11)
    rest = dot(digits, (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return text_of([*digits, 0 if rest <= 1 else 11 - rest])


def au_tfn(rng: Random) -> str:
    while True:
        digits = [rng.randint(1, 9), *digits_of(rng, 7)]
        total = dot(digits, (1, 4, 3, 7, 5, 8, 6, 9))
        last = next((d for d in range(10) if (total + 10 * d) % 11 == 0), None)
        if last is not None:
            return shown(text_of([*digits, last]), (3, 3, 3), rng.choice([" ", ""]))


def ca_sin(rng: Random) -> str:
    digits = [rng.choice([1, 2, 4, 5, 6, 7]), *digits_of(rng, 7)]
    return shown(text_of([*digits, luhn_digit(digits)]), (3, 3, 3), rng.choice([" ", "-", ""]))


def br_cpf(rng: Random) -> str:
    digits = digits_of(rng, 9)
    first = 11 - dot(digits, range(10, 1, -1)) % 11
    first = 0 if first > 9 else first
    second = 11 - dot([*digits, first], range(11, 1, -1)) % 11
    text = text_of([*digits, first, 0 if second > 9 else second])
    return f"{text[:3]}.{text[3:6]}.{text[6:9]}-{text[9:]}"


def ar_cuit(rng: Random) -> str:
    while True:
        digits = [2, 0, *digits_of(rng, 8)]
        check = 11 - dot(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
        if check < 10:
            text = text_of([*digits, check])
            return f"{text[:2]}-{text[2:10]}-{text[10:]}"


def cl_rut(rng: Random) -> str:
    number = rng.randint(5_000_000, 24_000_000)
    total = dot([int(c) for c in reversed(f"{number:08}")], (2, 3, 4, 5, 6, 7, 2, 3))
    return f"{number:,}".replace(",", ".") + "-" + "0K987654321"[total % 11]


def ro_cnp(rng: Random) -> str:
    year, month, day = day_of_birth(rng)
    year = min(year, 1999)
    body = f"{rng.choice('12')}{year % 100:02}{month:02}{day:02}{rng.randint(1, 46):02}{rng.randint(1, 999):03}"
    check = dot([int(c) for c in body], (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    return body + str(1 if check == 10 else check)


def ru_inn(rng: Random) -> str:
    digits = [7, 7, *digits_of(rng, 8)]
    first = dot(digits, (7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10
    second = dot([*digits, first], (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10
    return text_of([*digits, first, second])


def il_identity(rng: Random) -> str:
    digits = digits_of(rng, 8)
    digits[0] = rng.choice([0, 2, 3])
    return text_of([*digits, luhn_digit(digits)])


def sg_nric(rng: Random) -> str:
    digits = digits_of(rng, 7)
    return f"S{text_of(digits)}{'JZIHGFEDCBA'[dot(digits, (2, 7, 6, 5, 4, 3, 2)) % 11]}"


def us_npi(rng: Random) -> str:
    digits = [1, *digits_of(rng, 8)]
    return text_of([*digits, luhn_digit([8, 0, 8, 4, 0, *digits])])


def mx_curp(rng: Random) -> str:
    year, month, day = day_of_birth(rng)
    year, letters = min(year, 1999), "BCDFGHJKLMNPQRSTVWXYZ"
    body = f"{rng.choice(letters)}{rng.choice('EIU')}{rng.choice(letters)}{rng.choice(letters)}{year % 100:02}{month:02}{day:02}{rng.choice('HM')}{rng.choice(['DF', 'JC', 'NL', 'MC'])}"
    body += "".join(rng.choices(letters, k=3)) + "0"
    alphabet = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    return body + str(-sum(alphabet.index(c) * (18 - i) for i, c in enumerate(body)) % 10)


STATE_NUMBERS: Final[Mapping[str, Maker]] = {
    "AR_CUIT": ar_cuit,
    "AT_SOCIAL_INSURANCE": at_insurance,
    "AU_TFN": au_tfn,
    "BE_NATIONAL_NUMBER": be_national,
    "BR_CPF": br_cpf,
    "CA_SIN": ca_sin,
    "CH_AHV": ch_ahv,
    "CL_RUT": cl_rut,
    "CN_RESIDENT_ID": cn_resident,
    "CZ_BIRTH_NUMBER": cz_birth,
    "DE_TAX_ID": de_tax_id,
    "DK_CPR": dk_cpr,
    "ES_DNI": es_dni,
    "FI_HETU": fi_hetu,
    "FR_NIR": fr_nir,
    "IL_IDENTITY": il_identity,
    "IN_AADHAAR": in_aadhaar,
    "IT_FISCAL_CODE": it_fiscal_code,
    "JP_MY_NUMBER": jp_number,
    "KR_RRN": kr_number,
    "MX_CURP": mx_curp,
    "NL_BSN": nl_bsn,
    "NO_FODSELSNUMMER": no_number,
    "PL_PESEL": pl_pesel,
    "PT_NIF": pt_nif,
    "RO_CNP": ro_cnp,
    "RU_INN": ru_inn,
    "SE_PERSONNUMMER": se_personnummer,
    "SG_NRIC": sg_nric,
    "TR_IDENTITY": tr_identity,
    "UK_NHS": uk_nhs,
    "UK_NINO": uk_nino,
    "US_NPI": us_npi,
    "ZA_IDENTITY": za_identity,
}
