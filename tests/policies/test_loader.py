"""From a file to a Policy: what it extends, what it may say, and the words for everything else."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from detectors.errors import PolicyError
from detectors.types import Category, Direction, Origin, Unscanned
from policies.loader import PRESETS, load_policy, load_policy_text, load_preset, preset_names
from policies.schema import policy_schema
from policies.types import (
    ActionName,
    AuditLevel,
    BlockAs,
    Credentials,
    Disclose,
    Exclusion,
    FailureMode,
    Match,
    Mode,
    Policy,
    Rate,
)

FILE = Path("acme.yaml")
STANDARD = "extends: preset/standard\n"


def load(text: str, *known: str) -> Policy:
    return load_policy_text(text, FILE, "acme", known).policy


def problem(text: str, *known: str) -> str:
    with pytest.raises(PolicyError) as caught:
        load_policy_text(text, FILE, "acme", known or ("PS-INJ-001", "PS-PII-001"))
    return str(caught.value)


def actions_of(policy: Policy) -> dict[str, ActionName]:
    return {rule.id: rule.action for rule in policy.rules}


# --- errors: file, line, what, did you mean -----------------------------------------------------------------------

RULE = "rules:\n  - id: x\n    when: {WHEN}\n    action: flag\n"
EXCLUSION = (
    STANDARD + "exclusions:\n  - {rule: PS-INJ-001, origin: user, until: 2027-03-01, owner: a@b.c, reason: quoted}\n"
)
TEST = STANDARD + "tests:\n  - {name: t, user: hello, expect: allow}\n"
STANDARD_RULES = [rule.id for rule in load_preset("preset/standard").policy.rules]
ERRORS = {
    "an unknown key": (STANDARD + "mod: enforce", "2: unknown key 'mod' (did you mean 'mode'?)"),
    "an unknown key in a rule": (
        RULE.replace("action: flag", "acton: flag"),
        "4: unknown key 'acton' (did you mean 'action'?)",
    ),
    "a missing key": (RULE.replace("id: x\n    ", ""), "2: missing key 'id'"),
    "an unknown condition": (
        RULE.replace("WHEN", "min_severty: low"),
        "3: unknown key 'min_severty' (did you mean 'min_severity'?)",
    ),
    "an unknown category": (RULE.replace("WHEN", "category: jailbrake"), "(did you mean 'jailbreak'?)"),
    "an unknown origin": (RULE.replace("WHEN", "origin: [user, tol]"), "(did you mean 'tool'?)"),
    "a route without its method": (
        RULE.replace("WHEN", "route: /v1/embeddings"),
        "a route begins with its method, such as 'POST /v1/embeddings'",
    ),
    "an unknown direction": (RULE.replace("WHEN", "direction: requests"), "(did you mean 'request'?)"),
    "an unknown severity": (RULE.replace("WHEN", "min_severity: hihg"), "(did you mean 'high'?)"),
    "an empty list": (RULE.replace("WHEN", "category: []"), "3: rules.0.when.category: "),
    "a confidence over 1": (RULE.replace("WHEN", "min_confidence: 80"), "3: rules.0.when.min_confidence: "),
    "a confidence that is no number": (
        RULE.replace("WHEN", "min_confidence: nan"),
        "3: rules.0.when.min_confidence: ",
    ),
    "an unknown action": (RULE.replace("{WHEN}", "{}").replace("flag", "blok"), "(did you mean 'block'?)"),
    "a rule id that is no slug": (RULE.replace("{WHEN}", "{}").replace("id: x", "id: X y"), "2: rules.0.id: "),
    "an unknown detection rule": (
        RULE.replace("WHEN", "rule: PS-INJ-01"),
        "3: unknown detection rule 'PS-INJ-01' (did you mean 'PS-INJ-001'?)",
    ),
    "a rule defined twice": (
        "rules:\n  - {id: x, when: {}, action: flag}\n  - {id: x, when: {}, action: block}",
        "3: rule 'x' is defined twice",
    ),
    "a key given twice": ("mode: off\nmode: enforce", "2: key 'mode' is given twice"),
    "an unknown mode": (STANDARD + "mode: monitr", "2: mode: expected 'enforce', 'monitor' or 'off' (did you"),
    "an unknown preset": ("extends: [preset/strickt]", "1: unknown policy 'preset/strickt' (did you mean 'preset/st"),
    "a path for a preset": ("extends: preset/../../../etc/passwd", "1: unknown policy 'preset/../../../etc/passwd'"),
    "another tenant's policy": ("extends: globex", "1: unknown policy 'globex'"),
    "a rule to disable that is not there": (
        STANDARD + "disable:\n  - credentials\n  - personal-dta",
        "4: there is no rule 'personal-dta' to disable (did you mean 'personal-data'?)",
    ),
    "a rate": (STANDARD + "limits: {requests: 600/mn}", "2: limits.requests: expected a rate such as 600/min"),
    "a size": (STANDARD + "limits:\n  text: 64 KxB", "3: limits.text: expected a size such as 64 KiB"),
    "a size of nothing": (STANDARD + "limits: {body: 0}", "2: limits.body: expected a size between 1 B and"),
    "an unscanned action": (STANDARD + "unscanned: {media: mask}", "2: unscanned.media: expected 'block', "),
    "an unscanned reason": (STANDARD + "unscanned: {medai: flag}", "2: unknown key 'medai' (did you mean 'media'?)"),
    "an exclusion of an unknown rule": (
        EXCLUSION.replace("INJ-001", "INJ-002"),
        "3: unknown detection rule 'PS-INJ-002' (did you mean 'PS-INJ-001'?)",
    ),
    "an exclusion of everything": (
        EXCLUSION.replace("origin: user, ", ""),
        "3: exclusions.0: an exclusion needs an origin or a content hash",
    ),
    "an exclusion without end": (EXCLUSION.replace("until: 2027-03-01, ", ""), "3: missing key 'until'"),
    "an exclusion to no day": (
        EXCLUSION.replace("2027-03-01", "2027-02-30"),
        "3: exclusions.0.until: expected a day such as 2027-03-01",
    ),
    "an exclusion to a number": (EXCLUSION.replace("2027-03-01", "20304000"), "3: exclusions.0.until: expected a day"),
    "an exclusion nobody owns": (EXCLUSION.replace("a@b.c", "''"), "3: exclusions.0.owner: "),
    "an exclusion without reason": (EXCLUSION.replace("quoted", "''"), "3: exclusions.0.reason: "),
    "an exclusion of no hash": (EXCLUSION.replace("origin: user", "content: 'hmac:12'"), "3: exclusions.0.content: "),
    "a test without text": (TEST.replace("user: hello, ", ""), "3: tests.0: a test has exactly one of user, tool"),
    "a test of two texts": (TEST.replace("user: hello", "user: a, tool: b"), "3: tests.0: a test has exactly one of"),
    "a test that expects a typing error": (TEST.replace("allow", "alow"), "3: tests.0.expect: expected 'allow'"),
    "an unknown audit level": (STANDARD + "audit: {level: requird}", "2: audit.level: expected 'required' or"),
    "no mapping": ("- enforce", "1: expected a mapping of keys to values"),
    "an alias": (STANDARD + "rules: &a []\ndisable: *a", "2: aliases are not allowed"),
    "no YAML": ("mode: [", "acme.yaml:"),
    "nothing": ("", "a policy without rules lets everything pass"),
    "no rules": ("limits: {requests: 600/min}", "1: a policy without rules lets everything pass"),
    "all rules disabled": (STANDARD + f"disable: [{', '.join(STANDARD_RULES)}]", "1: a policy without rules"),
}


@pytest.mark.parametrize(("text", "expected"), ERRORS.values(), ids=ERRORS.keys())
def test_a_mistake_is_told_with_file_line_and_nearest_word(text: str, expected: str) -> None:
    message = problem(text)
    assert message.startswith("acme.yaml:")
    assert expected in message


def test_every_mistake_of_a_file_is_told_at_once() -> None:
    message = problem(STANDARD + "mod: off\nrules:\n  - {id: x, when: {}, action: blok}\nlimits: {text: x}")
    assert [line.split(":")[1] for line in sorted(message.splitlines())] == ["2", "4", "5"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"\xff\xfe", "not UTF-8 text"), (b"#" * (257 << 10), "larger than 256 KiB"), (None, "cannot be read: ")],
    ids=["other bytes", "too large", "not there"],
)
def test_a_file_that_cannot_be_read_says_so(tmp_path: Path, content: bytes | None, expected: str) -> None:
    file = tmp_path / "acme.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(PolicyError) as caught:
        load_policy(file, "acme")
    assert str(caught.value).startswith(f"{file}: {expected}")


def test_without_known_rules_any_detection_rule_may_be_named() -> None:
    assert load(RULE.replace("WHEN", "rule: PS-NEW-001")).rules[0].match.rule == {"PS-NEW-001"}


# --- extending ----------------------------------------------------------------------------------------------------


def test_a_childs_rule_replaces_its_parents_where_it_stands() -> None:
    parent = load(STANDARD)
    child = load(STANDARD + "rules: [{id: personal-data, when: {category: pii}, action: mask}]")
    assert list(actions_of(child)) == list(actions_of(parent))
    assert actions_of(child) == actions_of(parent) | {"personal-data": ActionName.MASK}


def test_a_childs_own_rules_come_last() -> None:
    child = load(STANDARD + "rules: [{id: mine, when: {}, action: flag}]")
    assert list(actions_of(child)) == [*actions_of(load(STANDARD)), "mine"]


def test_disable_removes_a_parents_rule() -> None:
    expected = actions_of(load(STANDARD))
    del expected["credentials"]
    assert actions_of(load(STANDARD + "disable: [credentials]")) == expected


def test_of_scalars_the_childs_wins() -> None:
    policy = load(
        "extends: preset/strict\nmode: monitor\nfailure_mode: open\ndisclose: full\nblock_as: refusal\n"
        "credentials: client\naudit: {level: best_effort}\nmodels: {allow: [a, b]}"
    )
    assert (policy.mode, policy.failure_mode, policy.disclose) == (Mode.MONITOR, FailureMode.OPEN, Disclose.FULL)
    assert (policy.block_as, policy.credentials) == (BlockAs.REFUSAL, Credentials.CLIENT)
    assert (policy.audit_level, policy.models) == (AuditLevel.BEST_EFFORT, ("a", "b"))


def test_what_a_child_leaves_out_it_inherits() -> None:
    policy = load("extends: preset/strict\nlimits: {requests: 5/s}\nunscanned: {}\naudit: {}\nmodels: {}")
    assert policy.disclose is Disclose.ID
    assert (policy.limits.tenant.requests, policy.limits.text, policy.limits.body) == ((Rate(5, 1),), 10 << 10, 4 << 20)
    assert policy.unscanned == load("extends: preset/strict").unscanned


def test_defaults_fail_closed() -> None:
    policy = load("rules: [{id: x, when: {}, action: flag}]")
    assert (policy.mode, policy.failure_mode, policy.audit_level) == (Mode.ENFORCE, FailureMode.CLOSED, "required")
    assert policy.unscanned == dict.fromkeys(Unscanned, ActionName.BLOCK)
    assert (policy.limits.tenant.requests, policy.limits.text, policy.limits.body) == ((), 256 << 10, 4 << 20)
    assert policy.models == ("*",)


def test_the_unscanned_map_is_merged_by_reason() -> None:
    policy = load(STANDARD + "unscanned: {token_ids: allow}")
    flagged = dict.fromkeys((Unscanned.MEDIA, Unscanned.EMBEDDING_TOKEN_IDS), ActionName.FLAG)
    expected = flagged | {Unscanned.TOKEN_IDS: ActionName.ALLOW}
    assert policy.unscanned == dict.fromkeys(Unscanned, ActionName.BLOCK) | expected


def test_of_several_parents_the_last_wins_and_a_common_ancestor_undoes_nothing() -> None:
    both = load("extends: [preset/strict, preset/monitor]")
    assert both.mode is Mode.MONITOR
    assert both.rules == load("extends: preset/strict").rules
    assert (both.disclose, both.limits.text) == (Disclose.ID, 10 << 10)


def test_exclusions_are_read_whole() -> None:
    content = "5b1e" * 8
    policy = load(EXCLUSION.replace("origin: user", f"origin: document, content: 'hmac:{content}'"))
    expected = Exclusion("PS-INJ-001", Origin.TOOL, content, date(2027, 3, 1), "a@b.c", "quoted")
    assert policy.exclusions == (expected,)


def test_one_word_stands_for_a_list_of_one() -> None:
    (rule,) = load(RULE.replace("WHEN", "category: pii, origin: document, direction: response")).rules
    assert rule.match.category == frozenset({Category.PII})
    assert rule.match.origin == frozenset({Origin.TOOL})
    assert rule.match.direction is Direction.RESPONSE


def test_a_policy_that_is_off_needs_no_rules() -> None:
    assert load("mode: off").mode is Mode.OFF


# --- revision, presets, schema ------------------------------------------------------------------------------------


def test_a_revision_is_that_of_the_content() -> None:
    revision = load(STANDARD).revision
    assert revision.startswith("sha256:")
    assert len(revision) == len("sha256:") + 12
    assert load("# a remark\nextends: [preset/standard]").revision == revision
    changed = [STANDARD + more for more in ("mode: off", "disable: [credentials]", "limits: {text: 1 KiB}")]
    assert len({load(text).revision for text in [STANDARD, "extends: preset/strict", *changed]}) == 5


def test_a_key_that_came_later_changes_no_revision_until_it_is_given() -> None:
    given = [STANDARD + f"pseudonyms: {value}" for value in ("{}", "{restore_in_tools: a}", "{restore_in_tools: [b]}")]
    assert len({load(text).revision for text in [STANDARD, *given]}) == 4


def test_tools_are_named_by_the_last_policy_that_names_any() -> None:
    assert load(STANDARD).restore_in_tools == frozenset()
    assert load(STANDARD + "pseudonyms: {restore_in_tools: [a, b]}").restore_in_tools == {"a", "b"}
    assert load(STANDARD + "pseudonyms: {restore_in_tools: []}").restore_in_tools == frozenset()


def test_a_tests_empty_text_is_a_text_too() -> None:
    loaded = load_policy_text(TEST.replace("user: hello", "tool: ''"), FILE, "acme")
    assert [test.turns for test in loaded.tests] == [((Origin.TOOL, ""),)]


@pytest.mark.parametrize(
    ("author", "origin"),
    [
        ("user", Origin.USER),
        ("tool", Origin.TOOL),
        ("document", Origin.TOOL),
        ("system", Origin.SYSTEM),
        ("assistant", Origin.ASSISTANT),
    ],
)
def test_a_tests_text_has_its_authors_origin(author: str, origin: Origin) -> None:
    loaded = load_policy_text(TEST.replace("user:", f"{author}:"), FILE, "acme")
    assert [test.turns for test in loaded.tests] == [((origin, "hello"),)]


def test_the_presets_are_those_of_the_house() -> None:
    assert preset_names() == ("preset/monitor", "preset/standard", "preset/strict")


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_loads(name: str) -> None:
    loaded = load_preset(name)
    assert loaded.policy.id == name
    assert loaded.file.parent == PRESETS


def test_monitor_is_standard_but_for_its_mode() -> None:
    monitor, standard = load_preset("preset/monitor").policy, load_preset("preset/standard").policy
    assert (monitor.mode, monitor.rules, monitor.unscanned) == (Mode.MONITOR, standard.rules, standard.unscanned)


def test_an_unknown_preset_is_an_error() -> None:
    with pytest.raises(PolicyError, match="cannot be read"):
        load_preset("preset/lax")


def test_the_schema_for_editors_refuses_unknown_keys_too() -> None:
    schema = policy_schema()
    assert schema["additionalProperties"] is False
    assert {"extends", "rules", "tests", "exclusions"} <= schema["properties"].keys()


def test_a_condition_may_stand_for_when(tmp_path: Path) -> None:
    file = tmp_path / "acme.yaml"
    file.write_text('rules: [{id: night, if: "hour < 6", action: block}]\n')
    (rule,) = load_policy(file, "acme").policy.rules
    assert (rule.match, rule.condition is not None) == (Match(), True)
    file.write_text("rules: [{id: night, action: block}]\n")
    with pytest.raises(PolicyError, match="missing key 'when', or an 'if'"):
        load_policy(file, "acme")
