"""Addresses of cryptocurrencies, verified by their checksums."""

from __future__ import annotations

import hashlib
from typing import Final

_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
# Version bytes: Bitcoin, its script form, Litecoin (two), Dogecoin (two), Tron.
_VERSIONS: Final = frozenset({0x00, 0x05, 0x30, 0x32, 0x1E, 0x16, 0x41})


def wallet(found: str) -> bool:
    if found.startswith("0x"):
        # The checksum of EIP-55 is in the case of the letters. That there is a case is proof enough, and hashing costs
        # a thousand times as much as looking.
        return not (found[2:].islower() or found[2:].isupper() or found[2:].isdigit())
    return _bech32(found) if found.startswith(("bc1", "tb1", "ltc1")) else _base58check(found)


def _base58check(found: str) -> bool:
    number = 0
    for character in found:
        number = number * 58 + _BASE58.index(character)
    if number >= 1 << 200:
        return False
    data = number.to_bytes(25)
    return data[0] in _VERSIONS and hashlib.sha256(hashlib.sha256(data[:21]).digest()).digest()[:4] == data[21:]


def _bech32(found: str) -> bool:
    """BIP 173 and BIP 350: the checksum of version 0 is 1, of later ones 0x2bc830a3."""
    prefix, _, rest = found.partition("1")
    values = [_BECH32.index(c) for c in rest]
    check = 1
    for value in [*(ord(c) >> 5 for c in prefix), 0, *(ord(c) & 31 for c in prefix), *values]:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> bit & 1 else 0
    return check == (1 if values[0] == 0 else 0x2BC830A3)
