"""Pages of lists that are sorted by a number: where one stopped, and where the next one begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from detectors.errors import OperationError
from proxy.control.fields import Page, read_id

Item = TypeVar("Item")


def number_after(page: Page, first: int = 0) -> int:
    """Return the number behind which a page begins. Raises OperationError for an `after` that is none."""
    if page.after is None:
        return first
    number = read_id(page.after)
    if number is None:
        raise OperationError(422, "invalid_field", "must be the `next` of an earlier answer", "after")
    return number


def next_after(found: Sequence[Item], page: Page, number: Callable[[Item], int]) -> str | None:
    """Return where the next page begins; `found` has one item more than the page if there is any."""
    return str(number(found[page.limit - 1])) if len(found) > page.limit else None
