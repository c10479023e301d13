"""Which part of the archive is wanted, and what came of it; without the libraries that it takes to read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from storage.published import JsonObject


@dataclass(frozen=True, slots=True)
class Window:
    """Decisions opened from `start` to before `end` (aware), of one tenant or of all."""

    start: datetime
    end: datetime
    tenant_id: int | None = None

    def may_hold(self, date: str) -> bool:
        """Whether decisions of that day (UTC, YYYY-MM-DD) can be in it."""
        return f"{self.start.astimezone(UTC):%Y-%m-%d}" <= date <= f"{self.end.astimezone(UTC):%Y-%m-%d}"

    def holds(self, row: JsonObject) -> bool:
        return self.start <= datetime.fromisoformat(row["opened_at"]) < self.end


@dataclass(slots=True)
class Restored:
    """What came back; `damaged` are the objects and manifests that did not, with the reason."""

    rows: int = 0
    objects: int = 0
    damaged: list[str] = field(default_factory=list)
