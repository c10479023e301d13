"""Folding: the many spellings of one text brought to one. Per character, so that every offset can be mapped back.

A character folds by NFKD without combining marks, recomposed (so Hangul and kana stay whole), case folded; what is
invisible (Unicode Cc, Cf, default ignorable) folds to nothing, any run of white space to one space, and typographic
quotes and dashes to those of a keyboard.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from itertools import chain, compress, repeat

from detectors.stepwise import replaced
from detectors.types import Offsets, Span


def _characters(*ranges: tuple[int, int]) -> frozenset[str]:
    return frozenset(chr(code) for first, last in ranges for code in range(first, last + 1))


# Marks that are put on letters or left out at will; those that spell (Indic vowels, kana voicing) stay.
_MARKS = _characters(
    (0x0300, 0x036F), (0x0483, 0x0489), (0x0591, 0x05BD), (0x064B, 0x065F), (0x0670, 0x0670), (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF), (0x20D0, 0x20FF),
)  # fmt: skip
# What Unicode calls default ignorable beside Cf: variation selectors and code points without a character.
_IGNORABLE = _characters(
    (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2065, 0x2065), (0xFE00, 0xFE0F), (0xFFF0, 0xFFF8), (0xE0000, 0xE0FFF)
)
_BLANKS = "\u115f\u1160\u2800\u3164\uffa0"  # fillers: letters by name, white space to the eye
_ONE_FORM = frozenset({"Lo", "So", "Cn", "Co", "Cs"})
LONGEST_READING = 4  # characters that one character turns into at most
_REMEMBERED = 1 << 15  # characters a table remembers before it starts afresh: no text can grow or spoil it for good

_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"))
_PUNCTUATION = (
    str.maketrans(
        {
            **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02b9\u02bc\u00b4", "'"),
            **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb", '"'),
        }
    )
    | _DASHES
)
# Letters that look like a Latin one (Unicode TR39). A lookalike alone is no sign of an attack: the skeleton is an
# extra reading, never a replacement.
_LOOKALIKES = {
    pair[0]: pair[1]
    for pair in (
        # Cyrillic
        "аa вb сc ԁd еe һh іi јj кk ӏl мm нh оo рp ԛq гr ѕs тt уy ѵv ԝw хx зz ьb "
        # Greek; its capitals look like other letters than its small ones
        "αa βb ϲc δd εe ηn ιi κk μu νv οo ρp σo τt υu χx γy ωw ϳj Βb Ζz Ηh Μm Νn Υy "
        # Armenian, Cherokee
        "ցg հh ոn օo զq սu Ꭺa Ᏼb Ꮯc Ꭼe Ꮐg Ꮋh Ꭵi Ꭻj Ꮶk Ꮮl Ꮇm Ꮲp Ꮢr Ꮪs Ꮩv Ꮃw Ꮓz "
        # Latin letters of other alphabets, with a stroke, and small capitals
        "ıi ɑa ɡg ɩi øo đd ħh łl ŧt ɨi ƀb ɇe ɉj ɍr ʉu ƶz ɏy ȼc "
        "ᴀa ʙb ᴄc ᴅd ᴇe ꜰf ɢg ʜh ɪi ᴊj ᴋk ʟl ᴍm ɴn ᴏo ᴘp ꞯq ʀr ꜱs ᴛt ᴜu ᴠv ᴡw ʏy ᴢz"
    ).split()
} | {
    # Letters in black circles and squares, and those that make flags
    chr(first + index): letter
    for first in (0x1F150, 0x1F170, 0x1F1E6)
    for index, letter in enumerate("abcdefghijklmnopqrstuvwxyz")
}


def is_invisible(character: str) -> bool:
    """Tell whether a character shows nothing: format and control characters, variation selectors."""
    return unicodedata.category(character) in {"Cf", "Cc"} or character in _IGNORABLE


def _has_one_form(character: str) -> bool:
    """Tell, quickly, of most of Unicode that nothing of it folds: letters without case, signs, what is unassigned."""
    return unicodedata.category(character) in _ONE_FORM and not unicodedata.decomposition(character)


class _Table(dict[int, str]):
    """What each code point turns into; filled as characters are met. `most` turns nearly all of a text at once."""

    def __init__(self, turn: Callable[[str], str], most: Callable[[str], str]) -> None:
        super().__init__()
        self._turn = turn
        self.most = most

    def __missing__(self, code: int) -> str:
        if len(self) >= _REMEMBERED:
            self.clear()
        value = self[code] = self._turn(chr(code))
        return value


def _cleaned(character: str) -> str:
    if character.isspace() or character in _BLANKS:
        return character if character in "\t\n\r" else " "
    if is_invisible(character):
        return ""
    if unicodedata.category(character) == "Nd":  # of any script: a number is one however its digits are written
        return str(unicodedata.decimal(character))
    if ord(character) in _DASHES:
        return "-"
    if _has_one_form(character):
        return character
    plain = _unmarked(unicodedata.normalize("NFKC", character)).translate(_DASHES)
    return character if plain == " " else _bounded(plain, character)  # an accent on its own is no space


def _folded(character: str) -> str:
    if character.isspace() or character in _BLANKS:
        return " "
    if is_invisible(character):
        return ""
    if unicodedata.category(character) == "Nd":
        return str(unicodedata.decimal(character))
    if _has_one_form(character):
        return character
    plain = _unmarked(unicodedata.normalize("NFKD", character.translate(_PUNCTUATION)))
    return _bounded(unicodedata.normalize("NFC", plain).casefold().translate(_PUNCTUATION), character)


def _bare(character: str) -> str:
    return _LOOKALIKES.get(character) or "".join(_LOOKALIKES.get(c, c) for c in _folded(character))


def _unmarked(text: str) -> str:
    return text if _MARKS.isdisjoint(text) else "".join(c for c in text if c not in _MARKS)


def _bounded(reading: str, character: str) -> str:
    """Ligatures of whole phrases stay as they are: a text of them would grow eighteen times."""
    return reading if len(reading) <= LONGEST_READING else character


_CLEAN, _FOLD, _BARE = _Table(_cleaned, str), _Table(_folded, str.casefold), _Table(_bare, str.casefold)
_ALPHABET = 400  # distinct characters up to which replacing them one by one pays
_BLOCK = 1 << 15  # characters looked at in one go: each new one costs a copy of what is left
_SPACES = re.compile("  +")


def alphabet_of(text: str) -> AbstractSet[str] | None:
    """Return the distinct characters of a text; None where knowing them saves no work: all ASCII, or very many."""
    if text.isascii():
        return None
    known = ""
    for start in range(0, len(text), _BLOCK):
        rest = text[start : start + _BLOCK].lstrip(known)  # skips what is known, faster than a set
        while rest:
            known += "".join(set(rest[:32]).difference(known))
            if len(known) > _ALPHABET:
                return None
            rest = rest.lstrip(known)
    return set(known)


def _translate(text: str, table: _Table, alphabet: AbstractSet[str] | None) -> str:
    """Turn a text by the table. Python translates all-ASCII text fifty times as fast as any other; other text is
    turned by whole-string calls once its few odd characters are replaced: 8 KB of Russian in a quarter of the time.
    """
    if alphabet is None:
        return text.translate(table)
    others = {c: table[ord(c)] for c in alphabet if table[ord(c)] != table.most(c)}
    made = set("".join(others.values()))
    if not made.isdisjoint(others) or any(table.most(c) != c for c in made):
        return text.translate(table)
    for character, reading in others.items():
        text = text.replace(character, reading)
    return table.most(text)


def fold(text: str, alphabet: AbstractSet[str] | None = None) -> str:
    """Return the folded reading: lower case, plain letters, single spaces, nothing invisible."""
    return _single_spaced(_translate(text, _FOLD, alphabet))


def skeleton(text: str, alphabet: AbstractSet[str] | None = None) -> str:
    """Return the folded reading with lookalikes of Latin letters replaced, character for character of `fold`."""
    return _single_spaced(_translate(text, _BARE, alphabet))


def clean(text: str, alphabet: AbstractSet[str] | None = None) -> str:
    """Return the reading with case and lines kept but nothing invisible and no compatibility letters."""
    return _translate(text, _CLEAN, alphabet)


def _single_spaced(text: str) -> str:
    return (replaced(_SPACES, " ", text) if "  " in text else text).strip(" ")


def _shaped(reads: Callable[[str], str], *, collapse: bool) -> Callable[[str], str]:
    """Return what tells of a character how long its reading is: itself for one, else a sign of `_NOTHING` to `_ODD`."""

    def shape(character: str) -> str:
        reading = reads(character)
        if len(reading) == 1:
            return " " if collapse and reading == " " else character
        return _ODD if collapse and " " in reading else chr(len(reading))

    return shape


_NOTHING, _ODD = "\x00", "\x05"  # control characters read as nothing themselves, so that no sign stands for itself
_CLEAN_SHAPES = _Table(_shaped(_cleaned, collapse=False), str)
_FOLD_SHAPES = _Table(_shaped(_folded, collapse=True), str)
_LONGER, _MORE_SPACE = re.compile("[\x02-\x05]"), re.compile(r" [\x00 ]+")


class FoldOffsets:
    """Maps a span of a folded or cleaned text to the text it came from, then on through `below`."""

    def __init__(self, source: str, *, collapse: bool, below: Offsets | None) -> None:
        self._source, self._collapse, self._below = source, collapse, below

    @cached_property
    def _starts(self) -> Sequence[int]:
        """Source index of each character of the reading; worked out once, and only if something was found."""
        shape = _translate(self._source, _FOLD_SHAPES if self._collapse else _CLEAN_SHAPES, alphabet_of(self._source))
        if _ODD in shape:
            return self._starts_one_by_one()
        if self._collapse:
            shown = shape.lstrip(f"{_NOTHING} ")
            single = _MORE_SPACE.sub(lambda spaces: f" {_NOTHING * (len(spaces.group()) - 1)}", shown)
            shape = _NOTHING * (len(shape) - len(shown)) + single
        if _LONGER.search(shape):
            lengths = [ord(sign) if sign <= _ODD else 1 for sign in shape]
            return list(chain.from_iterable(map(repeat, range(len(lengths)), lengths)))
        if _NOTHING not in shape:
            return range(len(shape))
        kept, starts = shape.encode("latin-1", "replace"), list[int]()
        for block in range(0, len(kept), _BLOCK):  # each call holds the interpreter
            starts += compress(range(block, block + _BLOCK), kept[block : block + _BLOCK])
        return starts

    def _starts_one_by_one(self) -> Sequence[int]:
        """The same where a character reads as several with a space among them."""
        starts, space_before = list[int](), True
        for index, character in enumerate(self._source):
            for made in _FOLD[ord(character)]:
                if made != " " or not space_before:
                    starts.append(index)
                space_before = made == " "
        return starts

    def to_source(self, span: Span) -> Span:
        starts = self._starts
        inner = span if isinstance(starts, range) else Span(starts[span.start], starts[span.end - 1] + 1)
        return inner if self._below is None else self._below.to_source(inner)
