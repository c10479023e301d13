"""The one tree of errors.

PromptShieldError
 ├─ ConfigurationError        file:line: what, did you mean   (operators, policy authors)
 │   ├─ SettingsError         promptshield.yaml, environment
 │   ├─ PolicyError           a policy that must not load
 │   └─ SignatureError        a detection rule that must not load
 ├─ DetectorError             a detector could not look       (→ status error, failure_mode)
 ├─ StorageError              an engine or its data
 │   ├─ UnavailableError      the same data may be taken later
 │   │   └─ DatabaseUnavailableError
 │   ├─ UnknownTenantError    somebody asked for a tenant that is not there
 │   ├─ JournalError          a decision could not be written (→ audit.level)
 │   └─ EngineError           an embedded engine would not start
 ├─ IdentityError             no, wrong or unverifiable key
 ├─ EdgeError                 a request that is refused before anybody reads it
 ├─ OperationError            a call of the control plane that is refused
 ├─ AccessError               a request to the control plane from somebody who may not make it
 └─ UpstreamError             the LLM service failed us

`str()` of any of them is for operators and never holds text of a user.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class PromptShieldError(Exception):
    """Root of everything we raise on purpose."""


class Problem(NamedTuple):
    """What is wrong with a document, and where: line and column count from 1, None where there is no such place."""

    line: int | None
    text: str
    column: int | None = None


class ConfigurationError(PromptShieldError):
    """A document that an operator wrote cannot be used. `str()` reads like a compiler's messages, one line each."""

    def __init__(
        self,
        file: str | Path,
        line: int | None,
        problem: str,
        *,
        column: int | None = None,
        more: Sequence[Problem] = (),
    ) -> None:
        self.file, self.line, self.problem = str(file), line, problem
        self.problems = (Problem(line, problem, column), *more)
        super().__init__(
            "\n".join(f"{self.file}:{p.line}: {p.text}" if p.line else f"{self.file}: {p.text}" for p in self.problems)
        )


def raise_all(errors: Sequence[ConfigurationError]) -> None:
    """Raise all problems of one document as one error; return if there are none."""
    if errors:
        first, others = errors[0], [problem for error in errors for problem in error.problems][1:]
        raise type(first)(first.file, first.line, first.problem, column=first.problems[0].column, more=others)


class SettingsError(ConfigurationError):
    pass


class PolicyError(ConfigurationError):
    pass


class SignatureError(ConfigurationError):
    pass


class DetectorError(PromptShieldError):
    """A detector could not look at its batch. `reason` is a short word for metrics."""

    def __init__(self, detector: str, reason: str) -> None:
        self.detector, self.reason = detector, reason
        super().__init__(f"detector {detector}: {reason}")


class StorageError(PromptShieldError):
    pass


class UnknownTenantError(StorageError):
    pass


class UnavailableError(StorageError):
    """Whoever should have taken the data is away or cannot serve; any other StorageError blames the data."""


class DatabaseUnavailableError(UnavailableError):
    pass


class JournalError(StorageError):
    pass


class EngineError(StorageError):
    """An embedded Postgres or Valkey did not start. `str()` says what to do about it."""


class IdentityError(PromptShieldError):
    """No identity. `unavailable` tells a store that cannot be asked from a key that is wrong."""

    def __init__(self, problem: str, *, unavailable: bool = False) -> None:
        self.unavailable = unavailable
        super().__init__(problem)


class EdgeError(PromptShieldError):
    """A request refused at the edge, with what its sender should be told."""

    def __init__(self, status: int, code: str, message: str, param: str | None = None) -> None:
        self.status, self.code, self.message, self.param = status, code, message, param
        super().__init__(f"{status} {code}")


class OperationError(PromptShieldError):
    """A call of the control plane that is refused. `field` is what of it is to blame, `problems` are a document's."""

    def __init__(
        self, status: int, code: str, message: str, field: str | None = None, problems: Sequence[Problem] = ()
    ) -> None:
        self.status, self.code, self.message, self.field = status, code, message, field
        self.problems = tuple(problems)
        super().__init__(f"{status} {code}: {message}")


class AccessError(PromptShieldError):
    """Whoever asks the control plane may not, with what they should be told."""

    def __init__(self, status: int, code: str, message: str, *, retry_after: float | None = None) -> None:
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after
        super().__init__(f"{status} {code}")


class UpstreamError(PromptShieldError):
    """The upstream failed before or during its answer. `kind` is connect, timeout, reset, protocol, too_large,
    unavailable where its breaker let nobody through, unsendable for a request that no upstream can be sent, or
    credential where the house's own was refused. `sent` is whether it may have got anything of the request.
    """

    def __init__(self, upstream: str, kind: str, *, sent: bool = True) -> None:
        self.upstream, self.kind, self.sent = upstream, kind, sent
        super().__init__(f"upstream {upstream}: {kind}")
