"""Questions about a policy that is not in force: does it load, do its tests pass, what would it change."""

from __future__ import annotations

from typing import Final

from policies.schema import policy_schema
from proxy.control.access.types import Permission
from proxy.control.answers.policies import (
    PolicyDifference,
    PolicyReport,
    PolicySchema,
    PolicyText,
    ReplayOf,
    ReplayReport,
    TestReport,
    TextOrVersion,
)
from proxy.control.operations import Call, Operation
from proxy.control.policy_desk import place_of
from proxy.control.policy_trials import (
    difference_from_force,
    loaded_of,
    replayed,
    report_on,
    run_its_tests,
    shown_replay,
)

_ONE: Final = "/api/v1/tenants/{tenant}/policies/{app}"


async def _check(call: Call) -> PolicyReport:
    return await report_on(call, await place_of(call), call.sent(PolicyText).content)


async def _test(call: Call) -> TestReport:
    return await run_its_tests(call, await loaded_of(call, await place_of(call), call.sent(TextOrVersion)))


async def _diff(call: Call) -> PolicyDifference:
    place = await place_of(call)
    loaded = await loaded_of(call, place, call.sent(TextOrVersion))
    return difference_from_force(call, place, loaded.policy)


async def _replay(call: Call) -> ReplayReport:
    place, wanted = await place_of(call), call.sent(ReplayOf)
    loaded = await loaded_of(call, place, wanted)
    tally = await replayed(call, place, loaded.policy, wanted.days)
    return shown_replay(loaded.policy, tally, wanted.days)


async def _schema(_call: Call) -> PolicySchema:
    return PolicySchema(json_schema=policy_schema())


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "checkPolicy", "POST", f"{_ONE}/check", Permission.POLICIES_READ,
        "Compile a text and say every problem with its place.", PolicyReport, _check, body=PolicyText, noted=False,
    ),
    Operation(
        "testPolicy", "POST", f"{_ONE}/test", Permission.POLICIES_READ, "Run the tests of a text or a version.",
        TestReport, _test, body=TextOrVersion, noted=False,
    ),
    Operation(
        "diffPolicy", "POST", f"{_ONE}/diff", Permission.POLICIES_READ,
        "Say what a text or a version would decide otherwise than what is in force.", PolicyDifference, _diff,
        body=TextOrVersion, noted=False,
    ),
    Operation(
        "replayPolicy", "POST", f"{_ONE}/replay", Permission.POLICIES_READ,
        "Decide recorded traffic again by a text or a version.", ReplayReport, _replay, body=ReplayOf, noted=False,
    ),
    Operation(
        "readPolicySchema", "GET", "/api/v1/policy-schema", Permission.POLICIES_READ,
        "The JSON Schema of policy files.", PolicySchema, _schema,
    ),
)  # fmt: skip
