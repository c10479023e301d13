"""The golden folders: whole documents as people read them. `python -m tests.golden.rewrite` writes them anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.app import Detection, load_detection
from tests.golden.keys import pages
from tests.golden.metrics import EXPOSITION, PAGE, exposition_text, metrics_page
from tests.golden.operations import API_PAGE, OPENAPI, api_page, openapi_document
from tests.golden.providers import FILE, providers_page
from tests.golden.rewrite import CASES, outputs


@pytest.fixture(scope="module")
def detection() -> Detection:
    return load_detection()


def test_every_codec_has_golden_cases(detection: Detection) -> None:
    assert {codec.name for codec in detection.codecs} == {case.parent.name for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_a_case_reads_as_it_did(case: Path, detection: Detection) -> None:
    made = outputs(case, detection)

    assert made
    assert {name: (case / name).read_bytes() for name in made} == made


def test_the_page_about_providers_is_what_the_codecs_say(detection: Detection) -> None:
    assert FILE.read_bytes() == providers_page(detection.codecs)


def test_the_exposition_reads_as_it_did() -> None:
    assert exposition_text() == EXPOSITION.read_text()


def test_the_page_about_metrics_is_what_the_names_say() -> None:
    assert metrics_page() == PAGE.read_text()


def test_the_tables_of_keys_are_what_the_schemas_say() -> None:
    made = pages()

    assert {page: page.read_text() for page in made} == made
    assert all(text.count("\n| `") > 20 for text in made.values())


def test_the_document_of_the_control_plane_is_what_its_operations_say() -> None:
    assert openapi_document() == OPENAPI.read_bytes()


def test_the_table_of_operations_is_what_they_are() -> None:
    assert api_page() == API_PAGE.read_text()
    assert api_page().count("| `GET /") > 20
