"""What can be true of a person: a date of birth, a telephone number, a card, an account, an address, a plate."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Final

import phonenumbers
from stdnum import bic, iban, luhn
from stdnum.us import rtn

from detectors.national_ids import digits_of, is_day

Check = Callable[[str], bool]

# Whose plans a number without a country code is held against, with and without a 0 in front.
_TRUNK: Final = ("GB", "DE", "FR", "IT", "NL", "JP", "AT", "CH", "SE", "AU", "TR", "KR", "FI", "IL", "BE", "ZA", "NZ")
_DIRECT: Final = ("US", "ES", "PL", "IT", "BR", "IN", "CN", "PT", "DK", "NO", "RU", "MX", "GR")
_OLDEST, _YOUNGEST = 1900, 2035
_DAY: Final = re.compile(r"(?:19|20)\d{2}([-/.])[01]\d\1[0-3]\d\b")  # behind a name that was left empty, say
# The first three letters of a month in nine languages; "jui" is June or July, which have all the days there are.
_MONTHS: Final = {
    beginning: number
    for number, beginnings in enumerate(
        (
            "jan ene gen oca sty", "feb fév fev şub lut", "mar mär maa", "apr avr abr nis kwi", "may mai mag mei maj",
            "jun giu haz cze", "jul jui lug tem lip", "aug aoû aou ago ağu sie", "sep set eyl wrz",
            "oct okt ott out eki paź",
            "nov kas lis", "dec dez déc dic ara gru",
        ),
        start=1,
    )
    for beginning in beginnings.split()
}  # fmt: skip


def card(found: str) -> bool:
    digits = re.sub(r"\D", "", found)
    # A row of one digit passes Luhn and is nobody's card.
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and bool(luhn.is_valid(digits))


def account_number(found: str) -> bool:
    """An IBAN by length and check digits. Countries' own lists of banks are left out: they age, and accounts do not."""
    return bool(iban.is_valid(found, check_country=False))


def phone(found: str) -> bool:
    # Without a country code the North American plan is assumed: it is the one written with separators.
    return _in_plan(found, None if found.startswith("+") else "US")


def phone_somewhere(found: str) -> bool:
    """A number that its context calls one: seven to fifteen digits that one of twenty plans has."""
    digits = digits_of(found)
    if not 7 <= len(digits) <= 15 or len(set(digits)) < 3 or _DAY.match(found):
        return False
    return any(_in_plan(found, region) for region in (_TRUNK if digits[0] == 0 else _DIRECT))


def _in_plan(found: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(found, region))
    except phonenumbers.NumberParseException:
        return False


def birthday(found: str) -> bool:
    """A day that there was, as figures in any order or with the name of its month; two figures are any century's."""
    numbers = [int(n) for n in re.findall(r"\d+", found)]
    named = [_MONTHS[word[:3].lower()] for word in re.findall(r"[^\W\d_]{3,}", found) if word[:3].lower() in _MONTHS]
    if named and len(numbers) == 2:
        day, year = sorted(numbers)
        return _OLDEST <= year <= _YOUNGEST and is_day(year, named[0], day)
    if len(numbers) != 3:
        return False
    first, second, third = numbers
    if first > 31:
        return _OLDEST <= first <= _YOUNGEST and is_day(first, second, third)
    year = third if third > 99 else 2000 + third
    return _OLDEST <= year <= 2099 and (is_day(year, second, first) or is_day(year, first, second))


def public_ip(found: str) -> bool:
    """An address of the public Internet. Four small numbers are a version: of version 4's one in 4,000 has such."""
    try:
        address = ipaddress.ip_address(found)
    except ValueError:
        return False
    if not address.is_global or address.is_multicast:
        return False
    return address.version == 6 or any(octet >= 32 for octet in address.packed)


def mailbox(found: str) -> bool:
    """A name at a domain: not a picture for dense screens, a package, a unit of systemd, a product of matrices."""
    return found.rpartition(".")[2].lower() not in _NO_DOMAINS


def mac(found: str) -> bool:
    digits = re.sub(r"[:.-]", "", found)
    return len(digits) == 12 and len(set(digits)) > 2


def position(found: str) -> bool:
    latitude, longitude = (float(n) for n in re.findall(r"[-+]?\d+\.\d+", found)[:2])
    return abs(latitude) <= 90 and abs(longitude) <= 180 and (latitude, longitude) != (0, 0)


def vehicle(found: str) -> bool:
    """Seventeen characters with letters and digits, none of them most of the others."""
    return any(c.isdigit() for c in found) and any(c.isalpha() for c in found) and len(set(found)) >= 6


def plate(found: str) -> bool:
    return any(c.isdigit() for c in found) and sum(c.isalnum() for c in found) >= 4


def account(found: str) -> bool:
    digits = digits_of(found)
    return 6 <= len(digits) <= 18 and len(set(digits)) > 2 and not _DAY.match(found)


def four_digits(found: str) -> bool:
    return len(digits_of(found)) >= 4 and not _DAY.match(found)


def six_digits(found: str) -> bool:
    return len(digits_of(found)) >= 6


def licence(found: str) -> bool:
    """No amount of data, which stands behind DL as well."""
    return four_digits(found) and re.fullmatch(r"[\d ]+ ?[KMGT]I?B(?:PS)?", found) is None


def street(found: str) -> bool:
    """A street has a name of its own: "4 On The Road" is none."""
    words = found.lower().replace(",", " ").split()
    return _ARTICLES.isdisjoint(words) and not (words[0] == "via" and words[1] in _NO_ROADS)


def name(found: str) -> bool:
    """What does not begin with a word that stands in forms and code where a name would."""
    first = re.split(r"[ .]", found, maxsplit=1)[0].lower()
    return len(found) >= 2 and first not in _NO_NAMES


def mail_name(found: str) -> bool:
    """A person's, not a team's, a company's or a machine's; one word in capitals may be a name, two are a label."""
    words = re.findall(r"[^\W\d_]+", found)
    if sum(word.isupper() and len(word) > 1 for word in words) > 1:
        return False
    return len(words) > 1 and _NO_PERSONS.isdisjoint(word.lower() for word in words) and name(found)


_NO_DOMAINS: Final = frozenset(
    {"png", "jpg", "jpeg", "gif", "webp", "svg", "avif", "heic", "ico", "pdf", "txt", "json", "yaml", "yml", "css"}
    | {"js", "mjs", "ts", "tsx", "tgz", "gz", "tar", "whl", "jar", "service", "socket", "timer", "mount", "slice"}
    | {"transpose", "reshape"}
)
_ARTICLES: Final = frozenset({"the", "a", "an", "this", "that", "your", "my", "our", "each", "any"})
# "Via Garibaldi 12" is a street, "via Gate 4" and "via Section 4" are English.
_NO_ROADS: Final = frozenset(
    {"section", "chapter", "appendix", "page", "table", "figure", "step", "rule", "route", "gate", "terminal", "exit"}
    | {"platform", "line", "bus", "room", "port", "proxy", "channel", "vlan", "node", "hop", "server", "api", "http"}
    | {"tcp"}
)
_NO_NAMES: Final = frozenset(
    {"the", "not", "none", "null", "true", "false", "unknown", "string", "str", "text", "name", "test", "todo", "tbd"}
    | {"it", "we", "you", "he", "she", "they", "this", "that", "there", "please", "what", "how", "why", "when", "if"}
)
# What stands before the address of nobody in particular.
_NO_PERSONS: Final = frozenset(
    """
    account accounting accounts address admin administrator airlines alert alerts announce apache api archive
    association author authors automation bank billing board bot bug bugs build builder care careers center centre ci
    club code college commerce commit committee community company computing conference contact contributor
    contributors core corp corporation council crew customer cvs daemon daily data debian delivery department dept
    desk dev devel developer developers development digest discussion distribution docs documentation domain editor
    editors education email engine engineering enquiries equipe events example express fedora finance foo forum
    foundation framework from full gazette git github gitlab global gmbh gnome gnu google group gruppe guild hello
    help helpdesk hosting hotel hr hub inc info information infrastructure install institute insurance integration
    international internet invoice invoices it job jobs journal kde kernel kontakt lab labs last library licence
    license limited linux list lists llc ltd magazine mail mailer mailing maintainer maintainers management manager
    marketing media microsoft motors mozilla museum name network networks news newsletter no noreply notification
    notifications notify office online open operations ops order orders org organization owner packagers packages
    packaging partners payment payments people perl php platform postmaster press private production project projects
    public python qa questions radio receipts recruiting red registry release releases reply report reports research
    reservations restaurant review robot root rust sales school science security server service services shipping shop
    site society software solutions source staff standards store studio studios subscriptions subsystem support suse
    system systems task team teams tech technical technologies technology test tester testing the times today tools
    translation translations translators travel tribune ubuntu union university updates upstream user users vendor
    version web webmaster weekly welcome working workshop world your
    """.split()  # noqa: SIM905 - two hundred words in quotes would be a page
)

PERSONS: Final[Mapping[str, Check]] = {
    "account": account,
    "bic": bic.is_valid,
    "date": birthday,
    "four_digits": four_digits,
    "geo": position,
    "iban": account_number,
    "imei": card,
    "licence": licence,
    "luhn": card,
    "mac": mac,
    "mail_name": mail_name,
    "mailbox": mailbox,
    "name": name,
    "phone": phone,
    "phone_somewhere": phone_somewhere,
    "plate": plate,
    "public_ip": public_ip,
    "six_digits": six_digits,
    "street": street,
    "us_routing": rtn.is_valid,
    "vin": vehicle,
}
