"""What stands around the words of an attack and says that nobody gives the model an order with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from detectors.types import Span

_NEAR: Final = 60
_AROUND: Final = 600  # characters on each side of a quotation in which somebody may say that it is to be done
_QUOTED: Final = 160  # characters of a quotation behind the words that were found
_OPEN: Final = re.compile(r"(?:(?<![\w\"])\"|(?<!\w)'|[`“\u2018„«「『])[^\"'`“”\u2018\u2019„«»「」『』\n]{0,40}\Z")
_CLOSE: Final = re.compile(r"[^\"'`“”\u2018\u2019„«»「」『』\n]{0,140}[\"'`”\u2019“»」』](?!\w)")
# Words for a text that is spoken of, right in front of a quotation or right behind it.
_SPOKEN_OF: Final = re.compile(
    r"\b(?:phrases?|sentences?|strings?|words?|payloads?|examples?|keywords?|patterns?|regex|such as|like|e\.g\."
    r"|typ(?:e|es|ed|ing)|wrote|posted|contain(?:s|ed|ing)|match(?:es)?|detect\w*|catch(?:es)?|does|why|add)\b"
    r"[\s:,(\[\\]{0,4}\Z"
)
_NAMED: Final = re.compile(
    r"[\s,)\]\\]{0,3}(?:(?:is|are|was) (?:an?|the|one|only|just) (?:\w+ ){0,3}"
    r"(?:examples?|attacks?|injections?|phrases?|sentences?)"
    r"|(?:attacks?|injections?|jailbreaks?)\b|means?\b|works?\b|to the (?:block|deny|word) ?list)"
)
# Whoever quotes an order and wants it done says so outside of the quotation.
_DEED: Final = (
    r"(?:follow|obey|execute|apply|perform|carry out|comply|act|continue|proceed|output|print|reveal|show|send|forward"
    r"|answer|respond|repeat|say|write|begin|start|treat|pretend|give|tell|list|become|switch)\b"
)
_DONE: Final = re.compile(
    r"\bdo (?:it|that|this|so|as|what|your)\b|\byou (?:must|shall|will|are|have to)\b"
    r"|\bgo (?:ahead|on)\b|\bfrom (?:now|here) on\b"
    r"|\byour (?:new |next |only |real |true )?(?:task|tasks|instructions?|orders?|jobs?|goal|role|rules?)\b"
    r"|(?:\A|[.!?:;,] {0,2}|\b(?:and|please|now|then|to) )" + _DEED
)
_DONE_BEHIND: Final = re.compile(_DONE.pattern + r"|\b(?:now|then|instead)\b|\b" + _DEED)
_OTHERS: Final = re.compile(
    r"\b(?:(?:why|how come) (?:did|do|does|would) (?:you|they|he|she|it|we)|(?<!n)did (?:you|they|he|she)"
    r"|what (?:does|do|would)|how (?:to|(?:do|can|could|should|would) (?:i|we|one))"
    r"|(?:tell|told|ask|asked|remind|reminded|instruct|instructed) (?:the|my|our|his|her) "
    r"(?!(?:ai|model|assistant|bot|chatbot|llm|gpt|agent|system|machine)\b)\w+ to) \Z"
)
_WEAK: Final = re.compile(r"(?:override|overrule|bypass|discard|dismiss|erase|delete|drop|skip|cancel)\b")
_ORDERED_GOODS: Final = re.compile(r"cancel (?:\w+ ){0,4}orders\Z")
_MODEL: Final = (
    r"(?:this|these|th(?:at|is) (?:chat|conversation)|you|yours\w*|me|us|ai|assistants?|bots?"
    r"|chats?|chatbots?|models?|llms?"
    r"|conversations?|sessions?|context|memory|systems?|prompts?|openai|anthropic|google)\b"
)
_THING: Final = re.compile(
    r"\A (?:in|from|for|via|of|to|on|at|font|dialogs?|box|window)\b(?! (?:(?:the|my|our|your|an?) )?" + _MODEL + r")"
)
_FORBIDDEN: Final = re.compile(
    r"\b(?:never|do not|don't|don\u2019t|dont|must not|should not"
    r"|(?:never|not) ask (?:you|anyone|customers|users) to)"
    r"(?: ever)? \Z"
)
# An address alone is what people talk about: to be fetched it needs a scheme, a path, a verb or a field of its own.
_FETCHED: Final = re.compile(
    r"(?:://|[\"']\s{0,2}[:=]\s{0,2}[\"']|=|\b(?:get|curl|wget|fetch|open|visit|load|read|request|query|call|access"
    r"|browse|navigate|go to|connect|retrieve|download|follow|crawl|scrape|ping|nc|resolve|lookup|show"
    r"|summari[sz]e)\b[^.?!\n]{0,30})\Z"
)


def an_order(text: str, span: Span) -> bool:
    """No quotation that is spoken of, no question how to, no reproach, and no order about a thing that is no prompt."""
    found = text[span.start : span.end].lower()
    before = text[max(0, span.start - _NEAR) : span.start].lower()
    if "your" not in found and _OTHERS.search(before):
        return _DONE.search(text[span.end : span.end + _AROUND].lower()) is not None
    if _ORDERED_GOODS.match(found):
        return False
    if "your" not in found and _WEAK.match(found) and _THING.match(text[span.end : span.end + _NEAR].lower()):
        return False
    return not _is_spoken_of(text, span)


def not_forbidden(text: str, span: Span) -> bool:
    """Nobody is warned against it: "never share your password"."""
    return _FORBIDDEN.search(text[max(0, span.start - _NEAR) : span.start].lower()) is None


def fetched(text: str, span: Span) -> bool:
    """The address is opened, not talked about."""
    if "/" in text[span.start : span.end].rstrip("/"):
        return True
    return _FETCHED.search(text[max(0, span.start - _NEAR) : span.start].lower()) is not None


def _is_spoken_of(text: str, span: Span) -> bool:
    begin = max(0, span.start - _NEAR)
    opened, closed = _OPEN.search(text, begin, span.start), _CLOSE.match(text, span.end, span.end + _QUOTED)
    if opened is None or closed is None:
        return False
    front = text[max(0, opened.start() - _AROUND) : opened.start()].lower()
    behind = text[closed.end() : closed.end() + _AROUND].lower()
    if _DONE.search(front) or _DONE_BEHIND.search(behind):
        return False
    return _SPOKEN_OF.search(front[-_NEAR:]) is not None or _NAMED.match(behind) is not None


ORDERS: Final[Mapping[str, Callable[[str, Span], bool]]] = {
    "fetched": fetched,
    "not_forbidden": not_forbidden,
    "order": an_order,
}
