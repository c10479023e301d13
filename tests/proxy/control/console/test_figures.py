from __future__ import annotations

from proxy.control.console.figures import counted, grouped, lasting, milliseconds, money, share, short


def test_numbers_read_as_people_write_them() -> None:
    assert grouped(1234567) == "1\u202f234\u202f567"
    assert [short(n) for n in (0, 950, 12_345, 3_400_000)] == ["0", "950", "12.3k", "3.4M"]
    assert [milliseconds(n) for n in (0.84, 12.3, 1300)] == ["0.84 ms", "12 ms", "1.3 s"]
    assert [money(n) for n in (0, 0.0012, 12.5)] == ["$0.00", "$0.0012", "$12.50"]
    assert [counted(n, "block") for n in (0, 1, 2)] == ["0 blocks", "1 block", "2 blocks"]


def test_a_time_is_said_in_the_largest_unit_without_a_rest_or_about() -> None:
    said = ["1 second", "59 seconds", "1 minute", "90 seconds", "15 minutes", "1 day", "30 days"]
    assert [lasting(n) for n in (0.2, 59, 60, 90, 905, 86_400, 2_592_000)] == said


def test_a_share_has_the_digits_that_it_needs() -> None:
    assert [share(n, 1000) for n in (0, 0.5, 5, 500)] == ["0 %", "< 0.1 %", "0.5 %", "50 %"]
    assert share(1, 0) == "0 %"


def test_what_nobody_knows_is_a_dash() -> None:
    assert {grouped(None), short(None), milliseconds(None), money(None), lasting(None)} == {"\u2013"}
