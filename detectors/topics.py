"""What a request for instructions is about: those of the model, or those of a thing that is named behind them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from detectors.types import Span

_BEHIND: Final = 48
# Whoever asks for these, or says whose they are, asks the model. Texts are folded, so without accents.
_OWN: Final = re.compile(
    r"prompt|secret|segret|geheim|hemlig|versteckt|verborgen|ocult|cachees|nascost|dolda|recibi|recebe|regu"
    r"|\b(?:dein\w*|ihre?[nms]?|tes|ton|votre|vos|tus?|sus?|tuo|tua|tue|tuoi|vostr\w|suo|seus?|suas?|teus?|tuas?"
    r"|jouw|uw|je|jullie|dina?|ditt|t[ei]|lhe|voce)\b"
)
_OF: Final = (
    r"des|du|de|del|di|dell[aeo]|da|do|das|dos|dal|per|para|pour|for|fur|zum|zur|unserer"
    r"|van|voor|por|sobre|sur|uber|till"
)
_ARTICLE: Final = (
    r"l[aeo]s?|el|il|gli|de[mnrst]|das|die|het|een|une?|un[oa]?|uma?|[oa]s?|ce\w*|est[ea]\w*|quest\w*|dies\w*|dit|deze|denna"
    r"|nuestr\w*|notre|nostr\w*|noss\w*|unser\w*|onze|vara?"
)
# What is no thing: the model by any name, who writes and who reads, and the way in which it shall be said.
_NO_THING: Final = (
    r"model\w*|as+isten\w*|ia|ki|ai|chat\w*|bots?|conversa\w*|gespr\w*|samtal\w*|dialog\w*|sitzung|ses+i\w*|unterhaltung|llm|gpt\w*"
    r"|system\w*|sistema|prompt\w*|openai|anthropic|google"
    r"|dich|sie|dir|toi|vous|moi|nous|mich|uns|mi|me|mij|mig|oss|noi|nos|you|jou"
    r"|dig|usted\w*|forma|modo|man[ie]+r\w*|facon|nuevo|novo|nouveau|favor|inicio|inizio|principio|debut|beginn|anfang|completo"
    r"|que|pod\w+|suite|leer|ler|lire|leggere"
)
_OF_A_THING: Final = re.compile(rf"\A\w* (?:(?:{_OF}) |d['\u2019])(?!(?:(?:{_ARTICLE}) ){{0,2}}(?:{_NO_THING})\b)\w")
_OWN_ENGLISH: Final = re.compile(
    r"prompt|message|preamble|parameters|settings|rules|hidden|secret|system|original|initial|internal|underlying|confidential"
)
_ON_A_THING: Final = re.compile(
    r"\A (?:(?:for|on|about|regarding|concerning) (?!(?:(?:the|our|my|any|all|an?) )?"
    r"(?:how|what|when|which|whether|th(?:is|ese|at|ose)"
    r"|me|us|you\w*|chat\w*|conversations?|sessions?|models?|assistants?|ai|answer\w*|respon\w*|repl\w+|handl\w+|interact\w*"
    r"|deal\w*|talk\w*|behav\w*|safe\w*|refus\w*|users?|content|sensitive|harm\w*|topics?|questions?|requests?|review|audit\w*"
    r"|debug\w*|test\w*|transparency|verification|reference|everything|anything|it|behalf|top)\b)"
    r"|(?:experience|skills?|knowledge|background|languages?)\b)"
)


def own_instructions(text: str, span: Span) -> bool:
    """No instructions for the assembly of a shelf, in languages that put a preposition before the topic."""
    found, behind = text[span.start : span.end].lower(), text[span.end : span.end + _BEHIND].lower()
    return _OWN.search(found) is not None or _OF_A_THING.match(behind) is None


def own_prompt(text: str, span: Span) -> bool:
    """No guidelines for expense claims, and nobody's programming experience."""
    found, behind = text[span.start : span.end].lower(), text[span.end : span.end + _BEHIND].lower()
    return _OWN_ENGLISH.search(found) is not None or _ON_A_THING.match(behind) is None


TOPICS: Final[Mapping[str, Callable[[str, Span], bool]]] = {
    "own_instructions": own_instructions,
    "own_prompt": own_prompt,
}
