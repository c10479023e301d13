from __future__ import annotations

from tests.proxy.control.house import House


async def test_the_schema_of_policies_is_to_be_had(house: House) -> None:
    schema = (await house.do("readPolicySchema")).json_schema
    assert {"rules", "extends", "mode"} <= set(schema["properties"])
