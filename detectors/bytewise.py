"""Whether a pattern may be matched byte by byte: what a folded text costs to read depends on it."""

from __future__ import annotations

import re

# What is the same of bytes: literals, sets that list what they hold, and others where they repeat uncounted.
_BYTEWISE = re.compile(r"\\[^xpPWDSC]|\[(?!\^)(?:[^\]\\]|\\.)*\]|\[\^(?:[^\]\\]|\\.)+\][*+]|[^\\.\[]")


def is_bytewise(expression: str) -> bool:
    """Tell whether an expression means the same of UTF-8's bytes as of its characters: nothing in it stands for exactly
    one character, or counts characters, that may have several bytes.
    """
    return expression.isascii() and not _BYTEWISE.sub("", expression)
