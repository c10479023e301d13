"""The linear model of requests for harm: what users ask a model to help with, whatever they do to the model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from detectors.models.classifier_model import READ_AS, Scale
from detectors.models.linear import LinearModel
from detectors.models.weights_file import SHIPPED, read_arrays
from detectors.types import Origin, Severity

FILE: Final = "harm.npz"
HARM: Final = "PS-HRM-001"
KIND: Final = "HARMFUL_REQUEST"
SEVERITY: Final = Severity.MEDIUM
# Whose texts are read.
USERS: Final = frozenset(origin for origin, read_as in READ_AS.items() if read_as is Origin.USER)


@dataclass(frozen=True, slots=True, eq=False)
class HarmModel:
    """The model and what its scores mean; `scale.doubt` is where it begins to say anything."""

    model: LinearModel
    scale: Scale
    revision: str


@lru_cache(maxsize=1)
def load_harm() -> HarmModel:
    """Load the shipped model. Raises ConfigurationError for weights that are missing or not ours."""
    arrays = read_arrays(FILE, SHIPPED)
    bias, damping, *scale = (float(number) for number in arrays["numbers"])
    words, spans = (arrays[part].astype(np.float32) for part in ("words", "spans"))
    return HarmModel(LinearModel(words, spans, bias, damping), Scale(*scale), str(arrays["revision"]))
