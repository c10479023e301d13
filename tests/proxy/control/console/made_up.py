"""Answers of operations that nobody gave: every field filled, and every text of it hostile or plain as one wants."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel

# Markup, an end of an attribute, of a script and of a comment, template braces, an escape sequence of terminals, and
# characters that turn a line around or hide in it.
HOSTILE = "<b>x</b>\"'><script>alert(1)</script><!--{{7*7}}{%raw%}\x1b[31m\u202e\u200b"


def made_up(model: type[BaseModel], text: str = HOSTILE, **fixed: Any) -> BaseModel:
    """Return an answer in which every text is `text`, every list has one item and nothing is left out."""
    return model.model_construct(
        **{name: fixed.get(name, _value(field.annotation, text, fixed)) for name, field in model.model_fields.items()}
    )


def _value(kind: Any, text: str, fixed: Mapping[str, Any]) -> Any:
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _value(parts[0], text, fixed)
    if origin in {typing.Union, types.UnionType}:
        return _value(next(part for part in parts if part is not type(None)), text, fixed)
    if origin is typing.Literal:
        return parts[0]
    if origin in {list, tuple, dict}:
        return {text: _value(parts[1], text, fixed)} if origin is dict else [_value(parts[0], text, fixed)]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return made_up(kind, text, **fixed)
    made = {
        AwareDatetime: datetime(2026, 3, 1, tzinfo=UTC),
        str: text,
        int: 3,
        float: 0.5,
        bool: True,
        datetime: datetime(2026, 3, 1, tzinfo=UTC),
        date: date(2026, 4, 1),
    }
    return made.get(kind, text)
