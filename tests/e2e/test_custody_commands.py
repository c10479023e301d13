"""`promptshield keys` and `promptshield subject` beside the running product."""

from __future__ import annotations

import pytest

from tests.harness import Product

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def tenant(product: Product) -> str:
    product.run("tenant", "create", "custody")
    return "custody"


def test_a_data_key_is_rotated_wrapped_anew_and_destroyed(product: Product, tenant: str) -> None:
    assert "data key 1 is live" in product.run("keys", "rotate", "--tenant", tenant).stdout
    assert "the former key is gone" in product.run("keys", "rotate", "--kek").stdout
    assert "data key 2 is live" in product.run("keys", "rotate", "--tenant", tenant).stdout
    assert "2 data keys destroyed" in product.run("keys", "shred", "--tenant", tenant, "--yes").stdout
    states = [line.split()[1:3] for line in product.run("keys", "list").stdout.splitlines() if tenant in line]
    assert states == [["1", "destroyed"], ["2", "destroyed"]]


def test_a_person_nobody_knows_is_not_found_and_erased_all_the_same(product: Product, tenant: str) -> None:
    assert product.run("subject", "find", "--tenant", tenant, "anna@example.org").stdout == ""
    erased = product.run("subject", "erase", "--tenant", tenant, "--yes", "anna@example.org").stdout
    assert erased.startswith("erased: 0 bodies")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("keys", "rotate"), 2, "give either --tenant or --kek"),
        (("keys", "shred", "--tenant", "nobody", "--yes"), 2, 'there is no tenant "nobody"'),
        (("subject", "find", "--tenant", "nobody", "anna"), 2, 'there is no tenant "nobody"'),
        (("audit", "verify", "--tenant", "nobody"), 2, 'there is no tenant "nobody"'),
        (("audit", "verify", "--checkpoints", "/nowhere"), 1, "/nowhere is no folder"),
        (("subject", "find", "--tenant", "custody", " "), 1, "an identifier is"),
    ],
)
def test_wrong_usage_is_one_line_with_its_code(
    product: Product, tenant: str, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = product.run(*arguments, check=False)
    assert done.returncode == code
    assert said in done.stderr
