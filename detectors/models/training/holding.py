"""Which rows models do not see while they are trained: thresholds are set on texts of kinds that are new to them."""

from __future__ import annotations

import zlib
from typing import Final

from detectors.models.training.rows import Row, is_written

# Whole kinds of texts: a new installation's texts are new, too.
HELD_OUT: Final = frozenset(
    {
        "followbench", "authored_mail", "authored_stray", "bipia_train_table", "bipia_train_ctx_table", "taubench_user",
        "security_docs", "cursorrules", "garak_docs",
    }
)  # fmt: skip
# Benign texts of kinds too rare to be left out whole: one in so many.
PARTLY: Final = {
    "gpteacher_roleplay": 5, "prompt_book": 6, "awesome_chatgpt_prompts": 6, "awesome_copilot": 4, "own_long": 10,
    "own_near": 10, "own_quote": 5, "t0_tasks": 10, "prompts_zh": 5, "taubench_tool": 5,
}  # fmt: skip
WRITTEN: Final = 8  # of what was written one by one, attacks too, one in so many


def held_out(row: Row) -> bool:
    """Tell whether a row is kept from models: always the same rows, whatever else is trained on."""
    if row.source in HELD_OUT:
        return True
    if is_written(row):
        share = WRITTEN
    else:
        share = PARTLY.get(row.source, 10 if row.source.startswith("own_") and row.language != "en" else 0)
        share *= not row.attack
    return share > 0 and zlib.crc32(row.text.encode("utf-8", "replace")) % share == 0
