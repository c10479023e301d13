"""Where traces go, if anywhere."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, field_validator


class TracingSettings(BaseModel):
    """Where spans go by OTLP over HTTP (`http://collector:4318/v1/traces`), none without an `endpoint`; which `share`
    of exchanges without a caller's decision; how many `waiting` exchanges are kept for the thread that sends them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: str = ""
    headers: Mapping[str, str] = Field(default_factory=dict, repr=False)
    share: float = Field(default=0.1, ge=0, le=1)
    timeout: float = Field(default=5, gt=0, le=60)
    waiting: int = Field(default=2048, ge=1, le=100_000)

    @field_validator("endpoint")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("expected http(s)://host[:port]/v1/traces")
        return url
