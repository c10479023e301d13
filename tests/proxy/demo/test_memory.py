"""The demo upstream's memory: what it keeps has an end, and a list comes in pages."""

from __future__ import annotations

from proxy.demo.memory import Shelf, page_of, stored_item


def test_a_shelf_keeps_copies_and_makes_room_by_number_and_by_size() -> None:
    shelf = Shelf(most=2, largest=40)
    for name in ("one", "two", "three"):
        shelf.put(name, {"said": name})
    assert [shelf.get(name) for name in ("one", "two", "three")] == [None, {"said": "two"}, {"said": "three"}]
    shelf.put("four", {"said": "x" * 20})
    assert [shelf.get(name) is None for name in ("two", "three", "four")] == [True, True, False]
    shelf.put("five", {"said": "x" * 50})
    assert shelf.get("five") is None
    shelf.put("six", {}, b"x" * 30)
    assert (shelf.get("six"), shelf.data("six"), shelf.data("five")) == ({}, b"x" * 30, None)
    shelf.put("seven", {}, b"x" * 30)
    assert shelf.get("six") is None


def test_a_message_is_kept_with_an_id_and_its_text_in_a_part() -> None:
    item = stored_item({"role": "user", "content": "hi"})
    assert (item["type"], item["content"]) == ("message", [{"type": "input_text", "text": "hi"}])
    assert item["id"].startswith("msg_")


def test_pages_follow_one_another_in_either_order() -> None:
    items = [{"id": f"msg_{number}"} for number in range(5)]
    first = page_of(items, {"limit": "2"})
    second = page_of(items, {"limit": "2", "after": first["last_id"], "order": "desc"})

    assert [item["id"] for item in (*first["data"], *second["data"])] == ["msg_4", "msg_3", "msg_2", "msg_1"]
    assert (first["has_more"], page_of(items, {"order": "asc"})["has_more"]) == (True, False)
    assert page_of([], {})["first_id"] is None
