from __future__ import annotations

from proxy.control.parts import ControlParts
from proxy.judging.settings import JudgeSettings
from storage.judge_breakers import JudgeBreakers
from tests.proxy.control.house import House, refused

ENDPOINT = "https://judge.example/v1"


def with_judge(house: House) -> House:
    judge = JudgeSettings.model_validate({"name": f"judge-{house.acme.id}", "endpoint": ENDPOINT, "model": "m"})
    settings = house.parts.settings.model_copy(update={"judges": (judge,)})
    values = {name: getattr(house.parts, name) for name in ControlParts.__dataclass_fields__}
    return House(ControlParts(**(values | {"settings": settings})), house.acme, house.globex)


async def test_a_judge_that_is_left_alone_is_shown_and_asked_again(house: House) -> None:
    house = with_judge(house)
    name = f"judge-{house.acme.id}"
    breakers = JudgeBreakers(house.parts.redis)
    assert [(one.name, one.breaker) for one in (await house.do("listJudges")).items] == [(name, "closed")]
    await breakers.failed(name, 1, 60)
    shown = (await house.do("listJudges", by=house.chief)).items[0]
    assert (shown.breaker, shown.endpoint) == ("open", ENDPOINT)
    with refused(403):
        await house.do("resetJudgeBreaker", {"judge": name})
    await house.do("resetJudgeBreaker", {"judge": name}, by=house.chief)
    assert (await house.do("listJudges")).items[0].breaker == "closed"
    with refused(404):
        await house.do("resetJudgeBreaker", {"judge": "nobody"}, by=house.chief)


async def test_a_tenant_does_not_learn_where_judges_are(house: House) -> None:
    assert (await with_judge(house).do("listJudges")).items[0].endpoint == ""
