"""How sign-ins went, as a metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from proxy.control.sums import Sample

# All there are: a rate does not see the first event of a series that begins with it.
RESULTS: Final = (
    "ok", "wrong", "wrong_code", "wrong_client", "code_wanted", "throttled", "reused_refresh", "provider_refused"
)  # fmt: skip


def sign_in_samples(counts: Mapping[str, int]) -> Iterator[Sample]:
    for result in RESULTS:
        yield Sample("promptshield_sign_ins_total", counts.get(result, 0), (result,))
