"""Numbers of states: a made-up one passes its check, and one with a changed digit does not."""

from __future__ import annotations

from random import Random  # noqa: TID251 - seeded examples, not secrets

import pytest

from detectors.national_ids import NATIONAL_IDS
from tests.labelled.state_numbers import STATE_NUMBERS

# Makers of numbers (written for the labelled sets, with check digits of their own) and the checks that judge them.
CHECKS = {
    "UK_NINO": "uk_nino", "UK_NHS": "uk_nhs", "DE_TAX_ID": "de_idnr", "FR_NIR": "fr_nir", "ES_DNI": "es_dni",
    "IT_FISCAL_CODE": "it_codice_fiscale", "NL_BSN": "nl_bsn", "BE_NATIONAL_NUMBER": "be_nn", "CH_AHV": "ch_ahv",
    "AT_SOCIAL_INSURANCE": "at_vnr", "PL_PESEL": "pl_pesel", "PT_NIF": "pt_nif", "SE_PERSONNUMMER": "se_personnummer",
    "FI_HETU": "fi_hetu", "NO_FODSELSNUMMER": "no_fodselsnummer", "CZ_BIRTH_NUMBER": "cz_rc", "TR_IDENTITY": "tr_tckn",
    "ZA_IDENTITY": "za_idnr", "IN_AADHAAR": "in_aadhaar", "CN_RESIDENT_ID": "cn_ric", "KR_RRN": "kr_rrn",
    "JP_MY_NUMBER": "jp_my_number", "AU_TFN": "au_tfn", "CA_SIN": "ca_sin", "BR_CPF": "br_cpf", "AR_CUIT": "ar_cuit",
    "CL_RUT": "cl_rut", "RO_CNP": "ro_cnp", "RU_INN": "ru_inn", "IL_IDENTITY": "il_idnr", "SG_NRIC": "sg_nric",
    "US_NPI": "us_npi", "MX_CURP": "mx_curp",
}  # fmt: skip


@pytest.mark.parametrize(("kind", "check"), CHECKS.items())
def test_numbers_made_by_the_rules_of_the_state_pass(kind: str, check: str) -> None:
    rng = Random(7)  # noqa: S311 - seeded examples
    made = [STATE_NUMBERS[kind](rng) for _ in range(30)]

    assert [number for number in made if not NATIONAL_IDS[check](number)] == []


@pytest.mark.parametrize(("kind", "check"), [(k, c) for k, c in CHECKS.items() if k != "UK_NINO"])
def test_of_numbers_with_another_last_digit_nearly_none_pass(kind: str, check: str) -> None:
    rng = Random(8)  # noqa: S311 - seeded examples
    changed = [number[:-1] + _other(number[-1]) for number in (STATE_NUMBERS[kind](rng) for _ in range(30))]

    assert sum(NATIONAL_IDS[check](number) for number in changed) <= 3


@pytest.mark.parametrize(
    ("check", "found", "holds"),
    [
        ("us_ssn", "536-90-4399", True),
        ("us_ssn", "536 90 4399", True),
        ("us_ssn", "078-05-1120", False),
        ("us_ssn", "123-45-6789", False),
        ("uk_nino", "BG123456C", False),
        ("de_pension", "15 070649 C 103", True),
        ("de_pension", "15 990649 C 103", False),
        ("icao_check", "T220001293", True),
        ("icao_check", "T220001294", False),
        ("icao_check", "T22000129", True),
        ("es_nuss", "28 12345678 40", True),
        ("au_medicare", "2123 45670 1", True),
        ("us_dea", "AB1234563", True),
        ("ru_snils", "112-233-445 95", True),
        ("id_nik", "3171011708450001", True),
        ("id_nik", "9971019908450001", False),
    ],
)
def test_checks_of_our_own_follow_published_examples(check: str, found: str, holds: bool) -> None:
    assert NATIONAL_IDS[check](found) is holds


def _other(last: str) -> str:
    return "1" if last == "7" else "7" if last.isdigit() else "Q" if last != "Q" else "W"
