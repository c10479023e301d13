"""The key `risk` of a policy file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from policies.quantities import parse_duration
from policies.risk import MOST, RiskPolicy, Whose
from policies.schema_words import TEXT, Listed, Strict

_Score = Annotated[float, Field(gt=0, le=MOST)]


class RiskDocument(Strict):
    """`session` names the header that tells sessions apart, or `user`: whom the body names as its end user."""

    session: Annotated[str, Field(pattern=r"^(user|x-[a-z0-9-]{1,60})$")] = "user"
    of: Annotated[tuple[Whose, ...], *Listed] = ("session",)
    half_life: Annotated[float, BeforeValidator(parse_duration), TEXT] = 1800.0
    strict_at: _Score | None = None
    strict_level: Annotated[int, Field(ge=3, le=4)] = 3
    judge_at: _Score | None = None
    block_at: _Score | None = None

    @model_validator(mode="after")
    def _rises(self) -> RiskDocument:
        steps = [step for step in (self.strict_at, self.judge_at, self.block_at) if step is not None]
        if self.block_at is not None and self.block_at < max(steps):
            raise ValueError("block_at is below another step, which would never be reached")
        return self


def risk_policy(documents: Sequence[RiskDocument | None]) -> RiskPolicy | None:
    """Return the last word on risk, None where nobody speaks of it."""
    given = [document for document in documents if document is not None]
    return RiskPolicy(**given[-1].model_dump()) if given else None
