"""Tables read cell by cell, each behind the head of its column: what a value is, often nothing but that says.

Not of answers: when a row of one is streamed, the line of heads is long gone.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from detectors.decoding import Decoder, Run
from detectors.types import Span

# Heads below which signatures look for what has no form of its own, by what they are read as: the shortest name that
# signatures know, since it is said again for each cell. Behind "" are those that are read as they stand.
_HEADS: Final = {
    "pwd": (
        r"pass(?:word|wd|phrase)?|pwd|passwort|kennwort|mot de passe|contrase(?:ñ|n)a|senha|wachtwoord|hasło|lösenord"
        r"|heslo|adgangskode|şifre|пароль|パスワード|密码|密碼|비밀번호"
    ),
    "api key": r"(?:api|secret|access)[ _-]?key|client[ _-]?secret|(?:access|auth)[ _-]?token",
    "dob": (
        r"dob|date[ _-]?of[ _-]?birth|birth[ _-]?da(?:te|y)|geburts(?:datum|tag)|geboortedatum|date[ _]de[ _]naissance"
        r"|fecha[ _]de[ _]nacimiento|data[ _]di[ _]nascita|data[ _]de[ _]nascimento|data[ _]urodzenia|дата рождения"
        r"|生年月日|出生日期|생년월일"
    ),
    "tel": (
        r"tel|phone|tele(?:phone|fon|foon|fono)|téléphone|teléfono|mobile?|cell(?:phone)?|handy|portable|móvil|celular"
        r"|gsm|fax|телефон|电话|手机|電話|携帯"
    ),
    "surname": (
        r"(?:full|first|last|given|family|middle|maiden|sur)[ _-]?name|vorname|nachname|prénom|apellidos?|cognome"
        r"|voornaam|achternaam|nazwisko"
    ),
    "passport": r"passport|reisepass|passeport|pasaporte|passaporto|paspoort",
    "driving licence": r"driver'?s?[ _-]licen[cs]e|driving[ _-]licen[cs]e|führerschein",
    "account no": r"account[ _-]?(?:number|no)|kontonummer",
    "mrn": r"mrn|medical[ _-]?record|patient[ _-]?(?:id|no)",
    "": (
        r"ssn|social[ _-]?security|cvv2?|cvc2?|nhs|national[ _-]insurance|nino|bsn|sin|tfn|aadhaar|cpf|curp|dni|nif"
        r"|pesel|nir|personnummer|steuer-?id|codice[ _]fiscale"
    ),
}
_SECRET: Final = frozenset({"pwd", "api key"})
_MAIL = r"e-?mail(?:[ _]address)?"  # found without its head, but whoever has one is a person
_WHOSE = (
    r"(?:(?:user|db|database|admin|root|wifi|login|home|work|business|customer|patient|employee|contact|us|uk)[ _-])?"
)
_NUMBER = r"(?:[ _-]?(?:number|num|no|nr|id)\.?|nummer)?"
_ASKED: Final = {said: re.compile(rf"(?i){_WHOSE}(?:{names}){_NUMBER}") for said, names in _HEADS.items()}
_PERSON: Final = re.compile(
    rf"(?i){_WHOSE}(?:{'|'.join(names for said, names in _HEADS.items() if said not in _SECRET)}|{_MAIL}){_NUMBER}"
)
# A person's only where the table has more of persons.
_NAME: Final = re.compile(r"(?i)(?:customer |patient |employee )?name|nom|nombre|nome|naam|imię|navn|имя|氏名|姓名")
_HEAD = rf"(?i:{_WHOSE}(?:{'|'.join(_HEADS.values())}|{_MAIL}){_NUMBER})"
_BESIDE, _DRESS = r"[\t|;,\r\n\"]| {2}", r"[ \t\r\"'`*]{0,4}"
_GATE = rf"(?:^|:|{_BESIDE}){_DRESS}{_HEAD}{_DRESS}(?:$|{_BESIDE})"
_CANDIDATE: Final = re.compile(_GATE)
_WORDING: Final = re.compile(r"[^(){}\[\]<>=:!?]{0,48}(?<![.:!?])|[^(){}\[\]<>=:!?]{0,24}\([\w /.-]{1,20}\)")
_AROUND: Final = " \t\r\"'`*"
_RULE: Final = frozenset("-:=+| \t\r")
_LONGEST: Final = 4096  # characters of a line: what is longer is no row that anybody reads
_FEWEST: Final = 3  # characters of a cell
_ROOM: Final = 3  # how often the text is said again, at most

_BLANKS: Final = "  "
_CELLS: Final = {
    **{mark: re.compile(rf'[ \t]*+(?:"(?:[^"]|"")*+"[^{mark}]*+|[^{mark}]*+)') for mark in "\t|;,"},
    _BLANKS: re.compile(r"\S++(?: \S++)*+"),
}


@dataclass(frozen=True, slots=True)
class _Table:
    """What parts its cells, how many each row has, and the heads of those that are read, by their numbers."""

    mark: str
    size: int
    heads: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class _Behind:
    """Of a cell behind its head (so many characters), the cell."""

    head: int

    def to_source(self, span: Span) -> Span:
        return Span(max(span.start - self.head, 0), max(span.end - self.head, 1))


def _decode(text: str) -> Iterator[Run]:
    left = _ROOM * len(text)
    for run in _cells(text):
        left -= len(run.text)
        if left < 0:
            yield replace(run, cut=True)
            return
        yield run


def _cells(text: str) -> Iterator[Run]:
    place = 0
    while place < len(text):
        line = _line(text, place)
        place += len(line) + 1
        table = _headed(line)
        if table is not None:
            place = yield from _rows(text, place, table)


def _line(text: str, start: int) -> str:
    end = text.find("\n", start)
    return text[start:] if end < 0 else text[start:end]


def _headed(line: str) -> _Table | None:
    """Return the table whose line of heads this is: all of them words, one of them asked for."""
    if len(line) > _LONGEST or _CANDIDATE.search(line) is None:
        return None
    for mark in _CELLS:
        heads = [line[cell.start : cell.end] for cell in _split(line, mark)] if mark in line else []
        if len(heads) < 2:
            continue
        heads[0] = heads[0].rpartition(":")[2].strip(_AROUND)  # behind what introduces a table
        if not all(map(_WORDING.fullmatch, heads)):
            continue
        asked = {number: said for number, head in enumerate(heads) if (said := _said(head))}
        if any(map(_PERSON.fullmatch, heads)):
            asked |= {number: "surname" for number, head in enumerate(heads) if _NAME.fullmatch(head)}
        if asked:
            return _Table(mark, len(heads), asked)
    return None


def _said(head: str) -> str | None:
    """Return what a head is read as; None for one that is not asked for."""
    return next((said or head for said, names in _ASKED.items() if names.fullmatch(head)), None)


def _rows(text: str, place: int, table: _Table) -> Generator[Run, None, int]:
    """Yield what stands below the heads that are read, up to a line that is no row; return where that begins."""
    while place < len(text):
        line = _line(text, place)
        rule = _RULE.issuperset(line)
        if not line.strip() or not (rule or table.mark in line.rstrip()):
            break
        cells = () if rule or len(line) > _LONGEST else _split(line, table.mark)
        if len(cells) == table.size:
            for number, head in table.heads.items():
                cell = cells[number]
                if cell.end - cell.start >= _FEWEST:
                    said = f"{head}: {line[cell.start : cell.end]}"
                    yield Run(cell.shift(place), said, _Behind(len(head) + 2))
        place += len(line) + 1
    return place


def _split(line: str, mark: str) -> Sequence[Span]:
    """Return the cells of a line, without what stands around their words. A mark in quotes parts nothing."""
    if mark == _BLANKS:
        return [_bare(line, *cell.span()) for cell in _CELLS[mark].finditer(line)]
    cells, place = [], 0
    while place <= len(line) and (cell := _CELLS[mark].match(line, place)):
        cells.append(_bare(line, *cell.span()))
        place = cell.end() + 1
    return cells


def _bare(line: str, start: int, end: int) -> Span:
    cell = line[start:end]
    start += len(cell) - len(cell.lstrip(_AROUND))
    return Span(start, max(start, start + len(cell.strip(_AROUND))))


DECODER: Final = Decoder("columns", _GATE, _decode, once=True, answers=False)
