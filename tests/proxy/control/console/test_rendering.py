from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from proxy.control.console.rendering import Rendering


def test_every_expression_is_escaped_and_visible(rendering: Rendering) -> None:
    answer = rendering.response("problem.html", {"status": 404, "message": "<b>\x1b[31m\u202e"}, 404)
    assert answer.status == 404
    assert answer.text is not None
    assert "&lt;b&gt;\u241b[31m\u2039U+202E\u203a" in answer.text


def test_what_is_undefined_is_an_error_and_no_empty_place(rendering: Rendering) -> None:
    with pytest.raises(UndefinedError):
        rendering.response("problem.html", {"status": 404})
