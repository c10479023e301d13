"""The permits of one worker, without a server: the replies are written by hand."""

from __future__ import annotations

import pytest

from detectors.errors import StorageError
from storage.limits.lease import Charge, Lease, Refusal, Reply
from storage.types import LimitKey

WANT, ACCOUNT, REFUNDS = 4, 7, 10  # where the script's arguments hold them


@pytest.fixture
def lease() -> Lease:
    return Lease(LimitKey(42, "requests", 10_000, 60))


def refill(lease: Lease, now: float, *, granted: int, amount: int = 1, bucket: int = 400) -> Charge | Refusal | None:
    reply = Reply(granted, bucket, 0.25, 10_000 - granted, 30.0, 60.25, lease._account + granted, healing=False)
    return lease.refill(reply, amount, now)


def batches(lease: Lease, times: list[float]) -> list[int]:
    """Use up one lease after the other at these times; return what each call asked for."""
    wanted = []
    for now in times:
        while lease.spend(1, now):
            pass
        wanted.append(lease.ask(1, 1, now, 0)[WANT])
        refill(lease, now, granted=wanted[-1])
    return wanted


def test_leases_that_are_used_up_in_time_double_to_their_bound(lease: Lease) -> None:
    assert batches(lease, [100.0 + step / 100 for step in range(11)]) == [*(2**step for step in range(9)), 500, 500]


def test_an_idle_worker_begins_again_with_one(lease: Lease) -> None:
    assert batches(lease, [100.0, 100.01, 100.02, 107.0]) == [1, 2, 4, 1]


def test_a_lease_that_died_unfinished_is_followed_by_one_for_a_whole_bucket(lease: Lease) -> None:
    batches(lease, [100.0, 100.01, 100.02, 100.03, 100.04])
    for _ in range(4):
        lease.spend(1, 100.05)

    assert lease.ask(1, 1, 100.4, 0)[WANT] == 1 + 2 + 4 + 8 + 5  # what its bucket saw, over all leases in it


def test_leases_never_hold_more_than_their_share_of_the_limit() -> None:
    lease = Lease(LimitKey(42, "requests", 600, 60))
    wanted = []
    for step in range(8):
        wanted.append(lease.ask(1, 4, 100.0 + step / 100, 0)[WANT])
        refill(lease, 100.0 + step / 100, granted=wanted[-1])
        while lease.spend(1, 100.0 + step / 100):
            pass

    assert wanted == [1, 2, 4, 7, 7, 7, 7, 7]  # 600 / (20 x 4)


def test_unused_permits_go_home_to_the_bucket_they_came_from(lease: Lease) -> None:
    lease.ask(1, 1, 100.0, 0)
    refill(lease, 100.0, granted=10, bucket=400)

    assert lease.spend(1, 100.3) is None
    assert lease.ask(1, 1, 100.3, 0)[REFUNDS:] == [1, 400, 9]
    assert lease.ask(1, 1, 100.3, 0)[REFUNDS:] == [0]  # also when the first call failed: never twice


def test_a_debt_is_kept_until_a_call_has_succeeded(lease: Lease) -> None:
    lease.owe(7, 100.0)
    assert lease.ask(1, 1, 100.0, 0)[REFUNDS:] == [0, 0, 7]
    lease.owe(1, 100.1)
    assert lease.ask(1, 1, 101.0, 0)[REFUNDS:] == [0, 0, 8]

    refill(lease, 101.0, granted=1)

    assert lease.ask(1, 1, 102.0, 0)[REFUNDS:] == [0]


def test_a_debt_is_paid_out_of_the_permits_in_hand(lease: Lease) -> None:
    lease.ask(1, 1, 100.0, 0)
    refill(lease, 100.0, granted=6)

    lease.owe(4, 100.1)

    assert lease.spend(2, 100.1) is None
    assert lease.spend(1, 100.1)
    assert not lease.unsettled(100.1)


def test_what_was_admitted_alone_is_posted_with_its_age_once(lease: Lease) -> None:
    lease.spend_local(3, 4, 100.0)
    lease.spend_local(2, 4, 101.0)
    assert lease.ask(1, 1, 102.0, 0)[REFUNDS:] == [0, 4, 3, 2, 2]  # buckets of half a second
    lease.spend_local(1, 4, 102.0)  # while that call is on its way

    refill(lease, 102.0, granted=1)

    assert lease.ask(1, 1, 102.0, 0)[REFUNDS:] == [0, 0, 1]


def test_a_share_is_never_nothing_unless_the_limit_is() -> None:
    assert isinstance(Lease(LimitKey(1, "requests", 2, 60)).spend_local(1, 8, 100.0), Charge)
    assert isinstance(Lease(LimitKey(1, "requests", 0, 60)).spend_local(1, 8, 100.0), Refusal)


def test_a_refusal_is_repeated_for_a_moment_for_as_much_or_more(lease: Lease) -> None:
    lease.ask(5, 1, 100.0, 0)
    refused = refill(lease, 100.0, granted=0, amount=5)

    assert refused == Refusal(130.0)
    assert lease.refusal(5, 100.09) == lease.refusal(6, 100.09) == refused
    assert lease.refusal(4, 100.09) is None
    assert lease.refusal(5, 100.11) is None
    assert lease.refusal(5, 109.0, since=99.9) == refused  # who waited for that very answer
    assert lease.refusal(5, 109.0, since=100.1) is None


def test_alone_a_worker_lives_on_what_its_share_has_left(lease: Lease) -> None:
    lease.ask(1, 1, 100.0, 0)
    refill(lease, 100.0, granted=1)

    assert isinstance(lease.spend_local(2500, 4, 110.0), Refusal)  # 10,000 / 4, one of which Redis has counted
    assert isinstance(lease.spend_local(2499, 4, 110.0), Charge)
    assert isinstance(lease.spend_local(1, 4, 160.6), Charge)  # that one has left the window


def test_what_redis_lost_is_brought_back_with_its_age(lease: Lease) -> None:
    lease.ask(1, 1, 100.0, 0)
    refill(lease, 100.0, granted=6)

    assert lease.ask(1, 1, 101.0, 0)[ACCOUNT:] == [6, 0, 1, 1, 400, 5]
    said = Reply(-1, 400, 0.0, 0, 0.0, 0.0, 0, healing=False)
    assert said.forgotten
    assert lease.ask(1, 1, 101.0, 0, lost=lease.lost(said))[ACCOUNT + 1 :] == [1, 1, 0, 2, 1]
    assert not lease.remembers(159.9)  # what others' clocks may have forgotten already is no sign of a loss


def test_of_a_server_that_is_a_little_behind_only_the_newest_is_brought_back(lease: Lease) -> None:
    for now, granted in ((100.0, 6), (101.0, 3), (102.0, 4)):
        lease.ask(granted, 1, now, 0)
        refill(lease, now, granted=granted, amount=granted)

    behind = Reply(-1, 400, 0.0, 0, 0.0, 0.0, 8, healing=False)  # of 13
    for _ in range(2):  # the first time its answer is lost
        assert lease.ask(1, 1, 102.0, 0)[ACCOUNT] == 13
        assert lease.ask(1, 1, 102.0, 0, lost=lease.lost(behind))[ACCOUNT + 1 :] == [1, 1, 0, 0, 4, 2, 1]
    assert lease.ask(1, 1, 162.0, 0)[ACCOUNT] < 0  # nothing of it counts any more: nothing to miss


def test_a_window_that_heals_says_neither_yes_nor_no(lease: Lease) -> None:
    lease.ask(1, 1, 100.0, 0)
    assert lease.refill(Reply(0, 400, 0.25, 5, 1.0, 60.0, 1, healing=True), 1, 100.0) is None


@pytest.mark.parametrize(
    "reply",
    [
        Reply(900, 400, 0.2, 5, 0.0, 60.0, 1, healing=False),
        Reply(-7, 400, 0.2, 5, 0.0, 60.0, 1, healing=False),
        Reply(1, 400, 9.0, 5, 0.0, 60.0, 1, healing=False),
        Reply(-1, 400, 0.2, 5, 0.0, 60.0, 1, healing=False),
        Reply(1, -1, 0.2, 5, 0.0, 60.0, 1, healing=False),
    ],
)
def test_a_reply_that_cannot_be_true_is_a_storage_error(lease: Lease, reply: Reply) -> None:
    lease.ask(1, 1, 100.0, 0)
    with pytest.raises(StorageError, match="impossible reply"):
        lease.check(reply, 1)


@pytest.mark.parametrize("raw", [None, b"OK", [], [1, 2, 3], [1, 2, 3, 4, 5, b"6"], [1, 2, 3, 4, 5, 6, 7]])
def test_a_reply_of_another_shape_is_a_storage_error(raw: object) -> None:
    with pytest.raises(StorageError, match="unexpected reply"):
        Reply.parse(raw)
