"""Addresses of coins prove themselves: one changed character and they are none."""

from __future__ import annotations

import pytest

from detectors.wallets import wallet

# The address of the first Bitcoin block; examples of BIP 173, BIP 350 and EIP-55.
KNOWN = [
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
    "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
]


@pytest.mark.parametrize("address", KNOWN)
def test_a_published_address_holds(address: str) -> None:
    assert wallet(address)


@pytest.mark.parametrize("address", [known for known in KNOWN if not known.startswith("0x")])
def test_with_two_characters_changed_it_does_not(address: str) -> None:
    assert not wallet(address[:9] + address[10] + address[9] + address[11:])


def test_an_ethereum_address_in_one_case_proves_nothing() -> None:
    assert not wallet("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed")
