"""Tables: each cell behind the head of its column, and the place of every cell."""

from __future__ import annotations

import pytest

from detectors.build import build_chain
from detectors.chain import Chain, Inspection, InspectionOptions
from detectors.decoders.columns import DECODER
from detectors.rules import load_signatures
from detectors.types import Direction, Kind, Origin, Place, Segment


@pytest.fixture(scope="module")
def chain() -> Chain:
    return build_chain(load_signatures())


def _said(text: str) -> list[str]:
    return [run.text for run in DECODER.decode(text)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("user,password\nanna,x9KmWq22\nben,Tr4ctor!9", ["pwd: x9KmWq22", "pwd: Tr4ctor!9"]),
        ("id;SSN\r\n1;536904399\r\n", ["SSN: 536904399"]),
        ("host\tdb_password\ndb1\tx9KmWq22", ["pwd: x9KmWq22"]),
        ("| User | **Password** |\n|:--|---|\n| anna | `x9KmWq22` |", ["pwd: x9KmWq22"]),
        (" name   | pwd\n--------+-----\n anna   | x9KmWq22\n(1 row)", ["pwd: x9KmWq22"]),
        ("HOST   PASSWORD\ndb 1   x9KmWq22", ["pwd: x9KmWq22"]),
        ('"phone number","note"\n"555-0142","in, or out"', ["tel: 555-0142"]),
        ('a,password\n"Smith, John",x9KmWq22\nBerg, Mia,Tr4ctor!9', ["pwd: x9KmWq22"]),
        ("These are ours:\n\nuser,password\nanna,x9KmWq22\n\nuser,hint", ["pwd: x9KmWq22"]),
        ("Summarise this: user,password\nanna,x9KmWq22", ["pwd: x9KmWq22"]),
        ("Ours: password,user\nx9KmWq22,anna", ["pwd: x9KmWq22"]),
        ("user,Date of birth (DD/MM/YYYY),dob\nanna,1,1984-03-07", ["dob: 1984-03-07"]),
    ],
)
def test_a_cell_is_said_behind_its_head(text: str, said: list[str]) -> None:
    assert _said(text) == said


def test_a_name_is_a_persons_where_the_table_is_about_persons() -> None:
    assert _said("name,email\nMia Berg,mia@acme.example") == ["surname: Mia Berg"]
    assert _said("name,price\nDesk Lamp,19.90") == []


@pytest.mark.parametrize(
    "text",
    [
        "password,hint",
        "password\nx9KmWq22",
        "def login(user, password, realm):\n    check(user, secret2, realm)",
        "Enter name, password, and city.\nGo to step2, step3, step4.",
        "Is it name, password, or city?\nIt is name2, password2, city2",
        "user,password\nanna\n,ab",
    ],
)
def test_what_only_looks_like_a_table_says_nothing(text: str) -> None:
    assert _said(text) == []


async def test_a_long_table_of_persons_is_read_whole(chain: Chain) -> None:
    head = "first name,last name,phone number,date of birth,passport number,account number\n"
    text = head + "Anna,Berg,0171 2345678,12.03.1964,C01X00T47,12345678\n" * 500

    assert not (await _inspect(chain, text)).coverage.unscanned


def test_a_table_that_would_be_said_too_often_is_cut() -> None:
    *_, last = DECODER.decode("a,national insurance number\n" + "1,abc\n" * 1000)

    assert last.cut


async def test_signatures_find_cells_by_their_heads_where_they_stand(chain: Chain) -> None:
    text = "name,SSN,born on,password\nJohn Smith,536904399,Leeds,x9KmWq22\nMia Berg,536904398,Bonn,Tr4ctor!9\n"

    assert await _found(chain, text) == {
        ("PASSWORD", "x9KmWq22"),
        ("PASSWORD", "Tr4ctor!9"),
        ("PERSON_NAME", "John Smith"),
        ("PERSON_NAME", "Mia Berg"),
        ("US_SSN", "536904399"),
        ("US_SSN", "536904398"),
    }


async def test_what_a_model_says_is_no_table_since_a_stream_has_let_its_heads_go(chain: Chain) -> None:
    assert await _found(chain, "user,password\nanna,x9KmWq22", Origin.ASSISTANT) == set()


async def test_a_table_of_samples_is_none_of_secrets(chain: Chain) -> None:
    assert await _found(chain, "column,password\nusers,varchar2\ntoken,required\nkey,${KEY_2}") == set()


async def _found(chain: Chain, text: str, origin: Origin = Origin.USER) -> set[tuple[str, str]]:
    findings = (await _inspect(chain, text, origin)).findings
    return {(found.hit.kind, text[found.hit.span.start : found.hit.span.end]) for found in findings if found.hit.span}


async def _inspect(chain: Chain, text: str, origin: Origin = Origin.USER) -> Inspection:
    segment = Segment(Direction.REQUEST, origin, Kind.TEXT, Place.VALUE, "/0", text)
    return await chain.inspect([segment], InspectionOptions())
