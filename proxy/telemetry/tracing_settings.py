"""Where traces go, if anywhere."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from proxy.base_urls import OptionalBaseUrl


class TracingSettings(BaseModel):
    """Where spans go by OTLP over HTTP (`http://collector:4318/v1/traces`), none without an `endpoint`; which `share`
    of exchanges without a caller's decision; how many `waiting` exchanges are kept for the thread that sends them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: OptionalBaseUrl = ""
    headers: Mapping[str, str] = Field(default_factory=dict, repr=False)
    share: float = Field(default=0.03, ge=0, le=1)
    timeout: float = Field(default=5, gt=0, le=60)
    waiting: int = Field(default=2048, ge=1, le=100_000)
