"""Whole requests in policies' tests, read by the codecs that would read them on the data plane."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from detectors.errors import EdgeError
from detectors.types import Coverage, Direction
from policies.expectations import RequestDocument
from policies.testing import Reading
from policies.types import Policy
from proxy.codec import Codec, Target
from proxy.edge import normal_path
from proxy.routing import choose_codec, error_codec, open_route
from proxy.screen import with_seams


class CodecReader:
    """Reads as the handler does: by mount, route, or headers; what no codec claims only if the policy opens it."""

    def __init__(self, codecs: Sequence[Codec]) -> None:
        self._codecs = tuple(codecs)

    def read(self, policy: Policy, request: RequestDocument) -> Reading:
        """Raises EdgeError for a path that nobody reads, and a body that its codec refuses."""
        path, _, query = request.path.partition("?")
        below, mount = normal_path(path)
        target = Target(request.method, below, query, mount)
        headers = {name.lower(): value for name, value in request.headers.items()}
        codec = choose_codec(self._codecs, target, headers)
        if codec is None:
            codec = open_route(self._codecs, policy, target, error_codec(self._codecs, target, headers))
        body = codec.read_body(target, orjson.dumps(request.body), "application/json")
        for model in codec.models(target, body):
            if not policy.allows_model(model):
                raise EdgeError(403, "model_not_allowed", "The policy does not allow this model.", "model")
        walk = codec.segments(body, Direction.REQUEST)
        left_out = Coverage(0, 0, walk.skipped, walk.unscanned)
        return Reading(tuple(with_seams(walk)), left_out)
