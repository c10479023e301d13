"""Run inside `.venv-peers`: what Presidio's pattern recognisers and detect-secrets find in texts, and how long it takes.

Standard input is a JSON object {"credential": [text, ...], "pii": [text, ...]}; standard output is, for each of our names of
a finder, {"set": ..., "found": [[[start, end, kind, score], ...], ...], "seconds": [...]}, in the order of the texts.
"""

from __future__ import annotations

import inspect
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import spacy
import tldextract
from detect_secrets.core.scan import scan_file, scan_line
from detect_secrets.settings import default_settings
from presidio_analyzer import AnalyzerEngine, PatternRecognizer, RecognizerRegistry, predefined_recognizers
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine

Found = list[tuple[int, int, str, float]]
# Its check of a host would look on the network for the list of suffixes; and the sets' hosts end in .example.
MEMORY: Final = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - so that no disk is timed
OFFLINE: Final = tldextract.TLDExtract(suffix_list_urls=(), extra_suffixes=("example",))


class Words(NlpEngine):  # type: ignore[misc]  # it is only there in the other environment
    """Tokens for Presidio's context words, without a model: each word is its own lemma."""

    def __init__(self) -> None:
        self._tokenise = spacy.blank("en")

    def load(self) -> None:
        return None

    def is_loaded(self) -> bool:
        return True

    def process_text(self, text: str, language: str) -> Any:
        words = self._tokenise(text)
        places, lemmas = [token.idx for token in words], [token.text.lower() for token in words]
        return NlpArtifacts([], words, places, lemmas, self, language)

    def process_batch(self, texts: Any, language: str, **_: Any) -> Iterator[tuple[str, Any]]:
        return ((text, self.process_text(text, language)) for text in texts)

    def is_stopword(self, word: str, language: str) -> bool:
        return bool(self._tokenise.vocab[word].is_stop)

    def is_punct(self, word: str, language: str) -> bool:
        return bool(self._tokenise.vocab[word].is_punct)

    def get_supported_entities(self) -> list[str]:
        return []

    def get_supported_languages(self) -> list[str]:
        return ["en"]


def presidio(*, every: bool) -> Callable[[str], Found]:
    """As it is shipped, or with `every` pattern recogniser that comes with it, whatever language it is meant for."""
    tldextract.extract = OFFLINE
    registry, engine = RecognizerRegistry(supported_languages=["en"]), Words()
    registry.load_predefined_recognizers(languages=["en"], nlp_engine=engine)
    if every:
        known = {type(recogniser) for recogniser in registry.recognizers}
        offered: Iterator[Any] = (value for _, value in inspect.getmembers(predefined_recognizers, inspect.isclass))
        for kind in offered:
            if issubclass(kind, PatternRecognizer) and kind not in known:
                registry.add_recognizer(kind(supported_language="en"))
    analyser = AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])

    def find(text: str) -> Found:
        return [(r.start, r.end, r.entity_type, r.score) for r in analyser.analyze(text, "en")]

    return find


def secrets_in_lines(text: str) -> Found:
    """What detect-secrets says of each line on its own, which it searches more eagerly than a file."""
    return _placed(text, ((n, secret) for n, line in enumerate(text.split("\n")) for secret in scan_line(line)))


def secrets_in_file(text: str) -> Found:
    """What detect-secrets says of a file that holds the text."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", dir=MEMORY) as file:
        file.write(text)
        file.flush()
        return _placed(text, ((secret.line_number - 1, secret) for secret in scan_file(file.name)))


def _placed(text: str, secrets: Iterable[tuple[int, Any]]) -> Found:
    """Say where the line of a secret first holds its value."""
    found: Found = []
    lines = text.split("\n")
    for number, secret in secrets:
        value, line = secret.secret_value, lines[number]
        if value and value in line:
            start = sum(len(before) + 1 for before in lines[:number]) + line.index(value)
            found.append((start, start + len(value), secret.type, 1.0))
    return found


def timed(find: Callable[[str], Found], texts: Sequence[str]) -> dict[str, Any]:
    """Return what is found in each text, and the seconds of CPU that the faster of two looks took."""
    found, seconds = [], []
    for text in texts:
        looks = [_timed(find, text) for _ in range(2)]
        found.append(looks[0][1])
        seconds.append(min(took for took, _ in looks))
    return {"found": found, "seconds": seconds}


def _timed(find: Callable[[str], Found], text: str) -> tuple[float, Found]:
    started = time.thread_time()
    told = find(text)
    return time.thread_time() - started, told


def main() -> None:
    sets = json.load(sys.stdin)
    with default_settings():
        told = {
            "detect-secrets, files": {"set": "credential", **timed(secrets_in_file, sets["credential"])},
            "detect-secrets, lines": {"set": "credential", **timed(secrets_in_lines, sets["credential"])},
            "Presidio, as shipped": {"set": "pii", **timed(presidio(every=False), sets["pii"])},
            "Presidio, every pattern recogniser": {"set": "pii", **timed(presidio(every=True), sets["pii"])},
        }
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
