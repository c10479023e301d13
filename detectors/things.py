"""Whose instructions are asked for, in languages that say it by a case, a prefix or what stands in front."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from detectors.types import Span

_NEAR: Final = 48
# Whoever says one of these means the model, whatever else is named. Texts are folded, so mostly without accents.
_MODEL: Final = re.compile(
    r"prompt|\b(?:a?i|si|llm|gpt\w*|openai|anthropic|google|(?:chat|bot)\w*|model\w*|as[iy]st\w+|czat\w*|rozmow\w*|konwersacj\w*"
    r"|sesj\w*|kontekst\w*|ciebie|tob\w+|tw[oó]j\w*|sw[oó]j\w*|mnie|nam|gory|poczatku|konca|audyt\w*|debug\w*|test\w*|weryfik\w*|sprawdz(?:enia)?"
    r"|ии|ші|модел\w+|ас+ист\w+|помощник\w*|помічник\w*|бот\w*|чат\w*|разговор\w*|розмов\w*|диалог\w*|діалог\w*|бесед\w*|контекст\w*"
    r"|сес+[иі]\w*|мен[яі]|мне|нам|теб[яеі]|тво\w+|сво\w+|себ\w+|порядк\w+|слов\w*|строк\w*|букв\w*|пункт\w*|умолчанию"
    r"|аудит\w*|отладк\w*|проверк\w*|перевірк\w*|тест\w*|(?:наш|эт|ц)\w{1,2} (?:бесед|чат|сес)\w*|поведени\w*|ответ\w*"
    r"|sana|senin|sohbet\w*|konusma\w*|yapay|benim|bizim|kendi\w*|bunu?n?|onu?n?"
    r"|ban|minh|toi|tro ly|mo hinh|he thong|day|nay|cuoc)\b"
    r"|نموذج|مساعد|محادث|دردش|ذكاء|بوت|مستخدم|سياق|هذ|البدا|الاعلى|تدقيق|اختبار"
    r"|तुम|तुझ|आप|अपन|मॉडल|एआई|सहायक|असिस्टेंट|चैट|बातचीत|सिस्टम"
)
# What is found and says so by itself.
_OWN: Final = re.compile(
    r"prompt|промпт|tw[oó]j|sw[oó]j|ci dano|dostal|otrzymal|\b(?:тво|сво)[а-яі]+|\bтеб[яеі]\b|секретн|tajn"
    r"|السرية|الخفية|المخفية|موجه|برومبت|प्रॉम्प्ट|गुप्त|bi mat|cua ban|ma ban|loi nhac|cau lenh"
)
_GOODS: Final = r"windows|linuks\w*|linux\w*|android\w*|macos|ios|iphone\w*|sap|erp|crm|router\w*|modem\w*"
_BEHIND: Final = re.compile(
    r"\A\w*(?: (?:"
    r"(?:dotyczac\w+|dla|do|od|ze?|o|przy|podczas|w sprawie|w zakresie|na temat) \w"
    rf"|(?:\w+ ){{0,3}}(?:{_GOODS})\b"
    r"|(?:\w+ )?(?:firm\w*|spolk\w*|zaklad\w*|szpital\w*|szkol\w*|magazyn\w*|dzialu|zespolu|bank\w*|urzed\w*|drukark\w*"
    r"|telefon\w*|gr[ay]|szachow|bhp)\b"
    r"|(?:по|для|об?|про|при|з|щодо|относительно|касательно) \w"
    r"|(?:\w+ ){0,3}(?:компани|фирм|фірм|завод|отдел|відділ|склад"
    r"|предприяти|підприємств|школ|больниц|лікарн|банк|роутер"
    r"|телефон|процес+ор|виндовс|андроид|принтер|игр|гри|шахмат|устройств|пристро)\w*"
    r"|(?:cua|cho|ve|trong|khi|de) \w|(?:cong ty|ke toan|quan ly|thong tin|dien|nuoc|kho|ban hang|may tinh)\b"
    r"|لل\S|ال(?:خاص|متعلق)[ةه] ب\S|ل(?:شركت|قسم|مؤسس|مدرس|فريق)|في \S|التي تظهر"
    r"|(?:हमारी|हमारे|मेरी) (?:कंपनी|टीम|दफ्तर|फैक्ट्री)"
    r"))"
)
_IN_FRONT: Final = re.compile(
    rf"(?:\b\w+ icin|\b(?:{_GOODS}|sirket\w*|firma\w*|depo\w*|fabrika\w*|okul\w*|hastane\w*|banka\w*|departman\w*"
    r"|personel\w*|kurum\w*|proje\w*|telefon\w*|oyun\w*|yazici\w*)(?: \w+)?"
    r"|(?:कंपनी|फिल्म|फ़िल्म|दफ्तर|कार्यालय|गोदाम|स्कूल|विभाग|बैंक"
    r"|खेल|गेम|फैक्ट्री|अस्पताल|एंड्रॉइड|विंडोज|लिनक्स|फोन|मशीन|राउटर|टीम) (?:के|की|का)"
    r") \Z"
)
# A prompt is written for somebody's bot, too: only by whoever is told to write one, not to show one.
_WRITTEN: Final = re.compile(r"\A(?:напиши|створи)")
_FOR_A_BOT: Final = re.compile(r"\A\w* для (?!(?:мен|теб|себ|нас|эт|ц[іь]))\w")
_BOT_IN_FRONT: Final = re.compile(r"\bbot\w* icin \Z")
# Hidden is spelled in Vietnamese, without its marks, as the first half of safety, of food and of clothing.
_COMPOUND: Final = re.compile(r"\A (?:toan|ninh|uong|mac|ngu|chay|dam|kieng|trua|sang|vat|mon|sinh)\b")


def own_orders(text: str, span: Span) -> bool:
    """No internal rules of a company, no settings of a telephone, no safety rules in Vietnamese."""
    found, behind = text[span.start : span.end].lower(), text[span.end : span.end + _NEAR].lower()
    before = text[max(0, span.start - _NEAR) : span.start].lower()
    if _WRITTEN.match(found) and _FOR_A_BOT.match(behind):
        return False
    if found.startswith("sistem istemi") and _BOT_IN_FRONT.search(before):
        return False
    if found.endswith(" an") and _COMPOUND.match(behind):
        return False
    if _OWN.search(found) or _MODEL.search(behind) or _MODEL.search(before):
        return True
    return _BEHIND.match(behind) is None and _IN_FRONT.search(before) is None


THINGS: Final[Mapping[str, Callable[[str, Span], bool]]] = {"own_orders": own_orders}
