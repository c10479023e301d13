"""What a tenant has of its own is put together for it alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from detectors.build import build_views
from detectors.lexicon import Lexicon
from detectors.models.classifier_model import load_classifier
from detectors.models.tenant_head import Weights, head_of, pack
from detectors.types import Origin
from proxy.additions.additions import additions
from proxy.additions.head_files import HeadFiles
from proxy.settings import Settings
from tests.proxy.additions.test_operator_packs import write


async def test_packs_and_heads_are_put_together(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    added = additions(settings, build_views())
    added.recover()
    assert added.lexicon(Lexicon(), "acme", 7) == Lexicon()

    write(tmp_path / "signatures" / "acme", 1)
    weights = Weights(np.array([1], np.int32), np.array([1], np.float16))
    head = head_of({Origin.USER: weights}, load_classifier().revision, {})
    HeadFiles(settings.heads_folder).keep(7, pack(head))
    await added.reload()

    own, others = added.lexicon(Lexicon(), "acme", 7), added.lexicon(Lexicon(), "globex", 8)
    assert (len(own.packs), own.head is not None) == (1, True)
    assert (others.packs, others.head) == ((), None)
