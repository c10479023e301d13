"""A request of a shape that nobody knows, to a route that the policy opens."""

from __future__ import annotations

from typing import Final

from tests.contracts.targets import ROUTE
from tests.planted.surface import Surface

RERANK: Final = Surface(
    "generic",
    ROUTE.path,
    {
        "model": "rerank-3",
        "query": "Which invoices are open?",
        "documents": [
            "The first invoice was paid.",
            {"text": "The second one is open.", "meta": {"seen": ["by the clerk", "by the owner"]}},
        ],
        "options": {"instructions": "Put the newest first.", "top_n": 2},
        "arguments": '{"q": "the words in a string"}',
    },
)
