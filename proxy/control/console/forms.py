"""What stands in a form: what was typed stays, and what is wrong stands beside its field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from multidict import MultiMapping

from detectors.complaints import OTHER_FORM
from detectors.errors import Problem

_WHOLE: Final = "*"  # told of the form as a whole


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why a form was not taken: by `field`, if one is to blame; `problems` are those of a document."""

    form: str
    status: int
    message: str
    field: str | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(slots=True)
class Filled:
    """One form as a template shows it."""

    typed: MultiMapping[str] | None
    wrong: Wrong | None
    _told: set[str] = field(default_factory=set)

    def value(self, name: str, default: Any = "") -> Any:
        """Return what was typed there, `default` before anything was."""
        return default if self.typed is None else self.typed.get(name, "")

    def chosen(self, name: str, default: Sequence[str] = ()) -> Sequence[str]:
        """Return what was ticked there."""
        return default if self.typed is None else self.typed.getall(name, [])

    def error(self, name: str) -> str:
        """Return what is wrong with a field, once: what no field told is told by `rest`."""
        if self.wrong is None or self.wrong.field is None:
            return ""
        if self.wrong.field != name and not self.wrong.field.startswith(f"{name}."):
            return ""
        self._told.add(self.wrong.field)
        return _sentence(self.wrong.message)

    def rest(self) -> str:
        """Return what is wrong with the form as a whole, or with a field that it does not show."""
        if self.wrong is None or self.is_told:
            return ""
        self._told.add(_WHOLE)
        named = f"{self.wrong.field}: " if self.wrong.field else ""
        return named + _sentence(self.wrong.message)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Those of a document, which tell all that is wrong."""
        if self.wrong is None:
            return ()
        self._told.update({_WHOLE} if self.wrong.problems else ())
        return self.wrong.problems

    @property
    def is_told(self) -> bool:
        return bool(self._told)

    @property
    def open(self) -> bool:
        """Tell whether the form should be seen: somebody is at it."""
        return self.typed is not None


def _sentence(message: str) -> str:
    """Return a message of the validator as a sentence."""
    text = message
    if text.startswith(OTHER_FORM):
        text = "this is not written in the form that is asked for"
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
