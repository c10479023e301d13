"""`if:`: what is accepted, what is refused before it could hurt, and that a failure never lets anything go."""

from __future__ import annotations

import re

import pytest

from policies.conditions import compile_condition
from policies.situation import WORDS

HOLD = [
    'confidence > 0.5 && origin == "user"',
    'severity >= 3 && !(app in ["a", "b"])',
    '"owasp.llm01" in tags',
    "category in ['jailbreak', 'prompt_injection'] && direction != 'response' && place == 'value'",
    "dialect == 'openai_chat' && dialect.startsWith('openai')",
    'tags.exists(tag, tag.startsWith("owasp"))',
    'model.startsWith("gpt") ? hour == 12 : false',
    "score - confidence < 0.1",
    "size(app) > 0 && !app.startsWith(\"kind == 5 && severity == 'x'\")",
    "tags.exists(t, t == 'owasp.llm01')",
    "'PS-INJ-001' == rule",
    "roles != ['guest']",
    "roles == [] || roles == ['a', 'b']",
]


@pytest.mark.parametrize("source", HOLD)
def test_a_condition_reads_the_words_of_findings_and_facts(source: str) -> None:
    condition = compile_condition(source)
    assert condition.names <= WORDS.keys()
    assert condition.holds({name: WORDS[name] for name in condition.names})
    assert not compile_condition(f"!({source})").holds({name: WORDS[name] for name in condition.names})


REFUSED = {
    'colour == "red"': "unknown word 'colour'",
    "confidnce > 0.5": "did you mean 'confidence'",
    "1 +": "Syntax error",
    "hour": "must be true or false, and is int",
    'hour > "9"': "'hour' is a number and never a text",
    "hour + (app) > 3": "it calculates or compares what does not go together",
    "confidence * 100 > 80.0": "(no whole numbers with fractions: 100.0, not 100)",
    "'ssn' in kind": "what does not go together",
    "category == 'keyword' && severity == 'medium'": "low 1, medium 2, high 3, critical 4",
    "app == 'a' && severity > 'medium'": "'severity' is a number",
    "key == '17'": "'key' is a number and never a text, as '17' is",
    "weekday == 'mon'": "0 is Monday",
    "streaming == 'true'": "'streaming' is true or false and never a text",
    "tags == 'x'": "write 'x' in tags",
    "severity in [1, 'low']": "never a text, as 'low' is",
    "5 == kind": "'kind' is a text and never a number",
    "category == 'prompt-injection'": "'category' is never 'prompt-injection' (did you mean 'prompt_injection'?)",
    "origin in ['user', 'tools']": "'origin' is never 'tools' (did you mean 'tool'?)",
    "'document' == origin": "'origin' is never 'document' here: write 'tool'",
    "direction != 'answer'": "'direction' is never 'answer' (request, response)",
    "dialect == 'openai'": "write dialect.startsWith('openai')",
    "route in ['/v1/embeddings']": "'route' begins with its method, such as 'POST /v1/embeddings'",
    "1 / hour > 0": "division by zero",
    'tags[0] == "a"': "index out of bounds",
    'model.matches("(a+)+$")': "'matches' cannot be used here",
    "int(app) > 3": "'int' cannot be used here",
    "tags.all(x, tags.all(y, tags.all(z, x == z)))": "more than 2 of all",
    "(" * 13 + "true" + ")" * 13: "nested deeper than 12",
    "hour in [" + "1," * 65 + "1]": "more than 64 items",
    "true || " * 130 + "true": "longer than 1000 characters",
    "": "Syntax error",
    "(app": "at its end",
    "category = 'pii'": "; == compares",
}


@pytest.mark.parametrize("source", REFUSED)
def test_what_is_wrong_or_could_cost_time_is_refused_with_a_reason(source: str) -> None:
    with pytest.raises(ValueError, match=re.escape(REFUSED[source])):
        compile_condition(source)


def test_a_refusal_does_not_repeat_the_whole_condition() -> None:
    with pytest.raises(ValueError) as refused:
        compile_condition("a" * 900 + " +")
    assert len(str(refused.value)) < 250


def test_a_condition_that_fails_in_traffic_holds() -> None:
    condition = compile_condition("100 / (weekday + 1) > 1000")
    assert not condition.holds({"weekday": 3})
    assert condition.holds({"weekday": -1})
    assert condition.holds({})


def test_conditions_of_the_same_words_are_equal() -> None:
    assert compile_condition("hour > 3") == compile_condition("hour > 3") != compile_condition("hour > 4")
