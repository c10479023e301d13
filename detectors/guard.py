"""What the answer of one exchange is held against: a canary, the system prompt, the request, the policy's hosts."""

from __future__ import annotations

from dataclasses import dataclass

from detectors.carried import Request
from detectors.fingerprints import Fingerprints
from detectors.frozen import statically_frozen


@statically_frozen
@dataclass(frozen=True, slots=True)
class Guard:
    """An empty `canary` or no `prompt` is not looked for. `hosts` are those that answers may point to: `a.example`, or
    `*.a.example` for all below; without any, what an address carries decides alone.
    """

    canary: str = ""
    prompt: Fingerprints | None = None
    request: Request = Request()  # noqa: RUF009 - of no texts
    hosts: tuple[str, ...] = ()

    def lists(self, host: str) -> bool:
        """Tell whether the policy lists a host, which is in small letters."""
        return is_listed(host, self.hosts)


def is_listed(host: str, hosts: tuple[str, ...]) -> bool:
    """Tell whether a host, in small letters, is one of `hosts` (`a.example`, or `*.a.example` for all below)."""
    return any(host.endswith(listed[1:]) if listed[0] == "*" else host == listed for listed in hosts)
