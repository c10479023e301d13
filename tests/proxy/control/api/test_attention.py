from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from proxy.additions.additions import additions
from proxy.control.parts import ControlParts
from proxy.screen import Screen
from tests.proxy.control.house import House, refused


def exclusion(days: int) -> str:
    until = (datetime.now(UTC) + timedelta(days=days)).date()
    return (
        "extends: preset/standard\nexclusions:\n"
        f"  - {{rule: PS-INJ-001, origin: tool, until: {until}, owner: ada, reason: a test}}\n"
    )


def write(parts: ControlParts, name: str, text: str) -> None:
    folder: Path = parts.settings.policies_folder
    (folder / f"{name}.yaml").write_text(text)


async def test_what_ends_soon_and_what_did_not_load_waits(house: House) -> None:
    write(house.parts, "default", "extends: preset/standard\n")
    write(house.parts, house.acme.slug, exclusion(3))
    write(house.parts, house.globex.slug, exclusion(90))
    waiting = await house.do("readAttention")
    assert [(one.policy, one.rule) for one in waiting.ending_exclusions] == [(house.acme.slug, "PS-INJ-001")]
    assert waiting.failed_policies == []
    write(house.parts, house.acme.slug, "extends: nothing\n")
    waiting = await house.do("readAttention")
    assert [one.policy for one in waiting.failed_policies] == [house.acme.slug]


async def test_a_tenant_is_told_nothing_of_another_and_the_platform_all(house: House) -> None:
    write(house.parts, "default", "extends: preset/standard\n")
    write(house.parts, house.globex.slug, exclusion(1))
    assert (await house.do("readAttention")).ending_exclusions == []
    with refused(404):
        await house.do("readAttention", query={"tenant": house.globex.slug})
    everything = await house.do("readAttention", by=house.chief)
    assert [one.policy for one in everything.ending_exclusions] == [house.globex.slug]


async def test_signatures_that_do_not_load_are_told_to_whom_they_are_of(house: House) -> None:
    parts = house.parts
    added = additions(parts.settings, parts.detection.views)
    folder = parts.settings.data / "signatures" / house.acme.slug
    folder.mkdir(parents=True)
    (folder / "bad.yaml").write_text("id: OP-INJ-001\n")
    await added.reload()
    screen = Screen(parts.detection.chain, parts.detection.actions, added=added)
    values = {name: getattr(parts, name) for name in ControlParts.__dataclass_fields__}
    house = House(ControlParts(**(values | {"screen": screen})), house.acme, house.globex)
    for who, count in ((house.admin(), 1), (house.chief, 1), (house.admin(house.globex), 0)):
        failed = (await house.do("readAttention", by=who)).failed_signatures
        assert [one.tenant for one in failed] == [house.acme.slug] * count
        assert all("bad.yaml" in one.problem and str(parts.settings.data) not in one.problem for one in failed)
