from __future__ import annotations

import re

from detectors.types import Severity
from policies.types import ActionName
from proxy.control.console.icons import icon
from proxy.control.console.marks import mark, said


def test_actions_and_severities_differ_by_shape_and_by_word() -> None:
    for words in ([str(action) for action in ActionName], [severity.name.lower() for severity in Severity]):
        shapes = {re.sub(r"</svg>.*", "", mark(word)).partition("<svg")[2] for word in words}
        assert len(words) >= 4
        assert len(shapes) == len(words)
        assert all(word in mark(word) for word in words)


def test_an_unknown_word_is_shown_and_escaped() -> None:
    assert mark("<b>") == f'<span class="mark">{icon("none")}&lt;b&gt;</span>'


def test_no_address_puts_words_into_our_mouth() -> None:
    assert said("<b>you were hacked</b>") == ""
    assert said(None) == ""
    assert said("draft").startswith("Saved as a draft")
