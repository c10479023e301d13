"""Numbers that states give to people: whether one can have been given out, by the check digits of its country."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from types import ModuleType
from typing import Final

from stdnum import luhn, verhoeff
from stdnum.ar import cuit
from stdnum.at import vnr
from stdnum.au import tfn
from stdnum.be import nn
from stdnum.bg import egn
from stdnum.br import cpf
from stdnum.ca import sin
from stdnum.cl import rut
from stdnum.cz import rc
from stdnum.de import idnr
from stdnum.dk import cpr
from stdnum.ec import ci
from stdnum.ee import ik
from stdnum.es import nif as es_nif
from stdnum.fi import hetu
from stdnum.fr import nif as fr_nif
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.gr import amka
from stdnum.hr import oib
from stdnum.ie import pps
from stdnum.il import idnr as il_idnr
from stdnum.in_ import pan
from stdnum.is_ import kennitala
from stdnum.it import codicefiscale
from stdnum.jp import in_ as my_number
from stdnum.kr import rrn
from stdnum.mx import curp
from stdnum.my import nric
from stdnum.nl import bsn
from stdnum.no import fodselsnummer
from stdnum.nz import ird
from stdnum.pk import cnic
from stdnum.pl import nip, pesel
from stdnum.pt import nif as pt_nif
from stdnum.ro import cnp
from stdnum.ru import inn
from stdnum.se import personnummer
from stdnum.si import emso
from stdnum.th import pin
from stdnum.tr import tckimlik
from stdnum.ua import rntrc
from stdnum.us import itin, ssn
from stdnum.za import idnr as za_idnr

Check = Callable[[str], bool]

_MODULES: Final[Mapping[str, ModuleType]] = {
    "ar_cuit": cuit, "at_vnr": vnr, "au_tfn": tfn, "baltic_code": ik, "be_nn": nn, "bg_egn": egn, "br_cpf": cpf,
    "ca_sin": sin, "cl_rut": rut, "cz_rc": rc, "de_idnr": idnr, "dk_cpr": cpr, "ec_ci": ci,
    "fi_hetu": hetu, "fr_nif": fr_nif, "fr_nir": nir, "gr_amka": amka, "hr_oib": oib, "ie_pps": pps,
    "il_idnr": il_idnr, "in_pan": pan, "is_kennitala": kennitala, "it_codice_fiscale": codicefiscale,
    "jp_my_number": my_number, "kr_rrn": rrn, "mx_curp": curp, "my_nric": nric, "nl_bsn": bsn,
    "no_fodselsnummer": fodselsnummer, "nz_ird": ird, "pk_cnic": cnic, "pl_nip": nip, "pl_pesel": pesel,
    "pt_nif": pt_nif, "ro_cnp": cnp, "ru_inn": inn, "se_personnummer": personnummer, "si_emso": emso, "th_pin": pin,
    "tr_tckn": tckimlik, "ua_rntrc": rntrc, "uk_nhs": nhs, "us_itin": itin, "za_idnr": za_idnr,
}  # fmt: skip


def digits_of(found: str) -> list[int]:
    return [int(c) for c in found if c.isdigit()]


def is_day(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _uk_nino(found: str) -> bool:
    """Prefixes that are never given out: https://www.gov.uk/hmrc-internal-manuals/national-insurance-manual/nim39110"""
    first, second = found[0].upper(), found[1].upper()
    return first not in "DFIQUV" and second not in "DFIOQUV" and first + second not in _UNUSED_NINO


_UNUSED_NINO: Final = frozenset({"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"})


def _de_pension(found: str) -> bool:
    """VSNR: area, birthday, initial, serial, check digit; the letter counts as two digits."""
    text = re.sub(r"\s", "", found)
    day, month, letter = int(text[2:4]), int(text[4:6]), ord(text[8]) - 64
    if not (1 <= day % 50 <= 31 and 1 <= month <= 12):  # a second person of one birthday has 50 added to the day
        return False
    numbers = [int(d) for d in f"{text[:8]}{letter:02}{text[9:11]}"]
    products = [a * b for a, b in zip(numbers, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=True)]
    return sum(p // 10 + p % 10 for p in products) % 10 == int(text[11])


def icao_check(found: str) -> bool:
    """ICAO 9303: nine characters weighted 7, 3, 1; the tenth is their check digit. Without a tenth nothing is known."""
    value = [int(c, 36) for c in found.upper()]
    if len(value) == 9:
        return any(c.isdigit() for c in found[1:])
    return sum(v * w for v, w in zip(value, (7, 3, 1) * 3, strict=False)) % 10 == value[9]


def _es_dni(found: str) -> bool:
    return bool(es_nif.is_valid(found.replace(".", "")))


def _es_nuss(found: str) -> bool:
    digits = re.sub(r"\D", "", found)
    serial = int(digits[2:10])
    whole = int(f"{digits[:2]}{serial if serial < 10_000_000 else digits[2:10]}")
    return whole % 97 == int(digits[10:])


def _ch_ahv(found: str) -> bool:
    digits = digits_of(found)
    return sum(d * (3 if i % 2 else 1) for i, d in enumerate(digits)) % 10 == 0


def _in_aadhaar(found: str) -> bool:
    digits = re.sub(r"\D", "", found)
    return digits[0] not in "01" and digits != digits[::-1] and bool(verhoeff.is_valid(digits))


def _cn_ric(found: str) -> bool:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(c) * w for c, w in zip(found[:17], weights, strict=True))
    born = is_day(int(found[6:10]), int(found[10:12]), int(found[12:14]))
    return born and "10X98765432"[total % 11] == found[17]


def _sg_nric(found: str) -> bool:
    weights, first = (2, 7, 6, 5, 4, 3, 2), found[0]
    offset = {"S": 0, "T": 4, "F": 0, "G": 4, "M": 3}[first]
    rest = (sum(int(c) * w for c, w in zip(found[1:8], weights, strict=True)) + offset) % 11
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "G": "XWUTRQPNMLK", "M": "KLJNPQRTUWX"}
    return letters[first][rest if first != "M" else 10 - rest] == found[8]


def _id_nik(found: str) -> bool:
    day = int(found[6:8]) % 40  # women have 40 added to the day
    return 11 <= int(found[:2]) <= 96 and is_day(2000 + int(found[10:12]) % 4, int(found[8:10]), day)


def _au_medicare(found: str) -> bool:
    digits = digits_of(found)
    return sum(d * w for d, w in zip(digits[:8], (1, 3, 7, 9, 1, 3, 7, 9), strict=True)) % 10 == digits[8]


def _us_npi(found: str) -> bool:
    return bool(luhn.is_valid(f"80840{found}"))


def _us_ssn(found: str) -> bool:
    """123-45-6789 was given to somebody, and stands for all numbers in every form and handbook."""
    digits = re.sub(r"\D", "", found)
    return digits != "123456789" and bool(ssn.is_valid(digits))


def _us_dea(found: str) -> bool:
    digits = digits_of(found)[-7:]
    return (sum(digits[0:6:2]) + 2 * sum(digits[1:6:2])) % 10 == digits[6]


def _ru_snils(found: str) -> bool:
    digits = digits_of(found)
    total = sum(d * w for d, w in zip(digits[:9], range(9, 0, -1), strict=True))
    return total % 101 % 100 == digits[9] * 10 + digits[10]


NATIONAL_IDS: Final[Mapping[str, Check]] = {
    **{name: module.is_valid for name, module in _MODULES.items()},
    "au_medicare": _au_medicare,
    "ch_ahv": _ch_ahv,
    "cn_ric": _cn_ric,
    "de_pension": _de_pension,
    "es_dni": _es_dni,
    "es_nuss": _es_nuss,
    "icao_check": icao_check,
    "id_nik": _id_nik,
    "in_aadhaar": _in_aadhaar,
    "ru_snils": _ru_snils,
    "sg_nric": _sg_nric,
    "uk_nino": _uk_nino,
    "us_dea": _us_dea,
    "us_npi": _us_npi,
    "us_ssn": _us_ssn,
}
