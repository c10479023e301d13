"""What can be one token of a model's vocabulary, as log probabilities list them: too little to say anything with."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_LONGEST, _LONGEST_WORD = 24, 64  # characters but for spaces: of what may have digits, and of a word or signs alone
_SPELT: Final = re.compile(r"bytes:(?:\\x[0-9a-f]{2}){1,16}")  # half a letter, as OpenAI writes it
_WORD: Final = re.compile(r"[^\W\d]+")
_SIGNS: Final = re.compile(r"[\W_]+")
# Tokenizers cut numbers into three digits or so, from the letters around them too, and know no addresses.
_NO_TOKEN: Final = re.compile(r"(?:\d\D*){5}|\w@\w|://\w|(?=.*\d).{16}", re.DOTALL)


@lru_cache(8192)
def is_token(text: str) -> bool:
    """Tell whether a text can be one token: no sentence, credential or address can."""
    said = text.strip()
    if _SPELT.fullmatch(said) or _SIGNS.fullmatch(text):
        return len(text) <= 4 * _LONGEST_WORD
    if _WORD.fullmatch(said):
        return len(said) <= _LONGEST_WORD
    return len(said) <= _LONGEST and len(said.split()) <= 1 and _NO_TOKEN.search(said) is None
