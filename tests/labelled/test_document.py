"""The table of kinds says what the signatures do."""

from tests.labelled.document import FILE, document


def test_the_table_of_kinds_is_up_to_date() -> None:
    assert FILE.read_text(encoding="utf-8") == document(), "run `python -m tests.labelled.document`"
