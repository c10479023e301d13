"""Whatever our schemas may refuse is said in plain words, whoever wrote the file or the call."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

import detectors
import policies
import proxy
import storage
from detectors.complaints import KNOWN, in_plain_words
from detectors.documents import parse_document
from detectors.errors import ConfigurationError
from policies.schema import PolicyDocument
from proxy.settings import Settings

FILE: Final = Path("acme.yaml")
OURS: Final = (detectors, policies, proxy, storage)
APART: Final = ("proxy.egress.mitm", "detectors.models.training")  # run elsewhere
# What each kind of node, and each bound of it, may be refused for.
NODES: Final = {
    "bool": {"bool_type", "bool_parsing"},
    "date": {"date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"},
    "datetime": {"datetime_type", "datetime_parsing", "datetime_from_date_parsing", "datetime_object_invalid"},
    "dict": {"dict_type"},
    "enum": {"enum"},
    "float": {"float_type", "float_parsing", "finite_number"},
    "int": {"int_type", "int_parsing", "int_from_float", "int_parsing_size"},
    "list": {"list_type"},
    "literal": {"literal_error"},
    "model": {"model_type", "model_attributes_type"},
    "model-fields": {"missing", "extra_forbidden"},
    "set": {"set_type"},
    "frozenset": {"frozen_set_type"},
    "str": {"string_type", "string_unicode"},
    "tuple": {"tuple_type", "missing", "too_long"},
}  # fmt: skip
BOUNDS: Final = {
    "ge": {"greater_than_equal"},
    "gt": {"greater_than"},
    "le": {"less_than_equal"},
    "lt": {"less_than"},
    "min_length": {"too_short", "string_too_short"},
    "max_length": {"too_long", "string_too_long"},
    "pattern": {"string_pattern_mismatch"},
    "tz_constraint": {"timezone_aware"},
}
# Nodes that pass on what is within them, or take what our own words were made of.
SILENT: Final = {
    "any", "computed-field", "dataclass", "dataclass-args", "dataclass-field", "default", "definition-ref",
    "definitions", "function-after", "function-before", "function-plain", "function-wrap", "is-instance",
    "model-field", "none", "nullable", "time", "union", "chain", "json-or-python", "lax-or-strict", "no-info",
    "with-info", "generator", "is-subclass", "custom-error", "ref", "function-ser",
}  # fmt: skip


def _models(of: type[BaseModel] = BaseModel) -> Iterator[type[BaseModel]]:
    for model in of.__subclasses__():
        if model.__module__.partition(".")[0] in {package.__name__ for package in OURS}:
            yield model
        yield from _models(model)


def _nodes(schema: object) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if isinstance(schema.get("type"), str):
            yield schema
        for key, value in schema.items():
            if key not in {"serialization", "metadata"}:
                yield from _nodes(value)
    elif isinstance(schema, list | tuple):
        for value in schema:
            yield from _nodes(value)


def test_every_kind_of_refusal_that_our_schemas_know_has_words() -> None:
    for package in OURS:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.startswith(APART):
                importlib.import_module(module.name)
    nodes = [node for model in set(_models()) for node in _nodes(model.__pydantic_core_schema__)]
    kinds = {node["type"] for node in nodes}
    assert kinds - NODES.keys() - SILENT == set(), "say here what these may be refused for"
    refusals = {refusal for kind in kinds & NODES.keys() for refusal in NODES[kind]}
    refusals |= {refusal for node in nodes for bound in BOUNDS.keys() & node for refusal in BOUNDS[bound]}
    assert len(refusals) > 20
    assert refusals - KNOWN == set()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: [{id: x, action: flag, when: {category: []}}]", "rules.0.when.category: expected at least 1 item"),
        (
            "rules: [{id: Big one, action: flag, when: {}}]",
            "rules.0.id: expected a text of the form [a-z0-9][a-z0-9-]{0,62} (small letters, digits and hyphens, at",
        ),
        ("rules: [{id: x, action: flag, when: {max_level: 9}}]", "rules.0.when.max_level: expected 4 or less"),
        ("rules: [{id: x, action: flag, when: {min_score: -1}}]", "rules.0.when.min_score: expected 0 or more"),
        ("judges: {deadline: 0}", "judges.deadline: expected more than 0"),
        ("judges: {when: [{confidence: [0.3]}]}", "judges.when.0.confidence.1: this is needed"),
        ("judges: {when: [{confidence: [0, 0.5, 1]}]}", "judges.when.0.confidence: expected at most 2 items"),
        ("refusals: {en: no}", "refusals.en: expected at least 3 characters"),
        ("rules: [{id: x, route: {upstream: ''}, action: flag, when: {}}]", "expected at least 1 character"),
        ("mode: monitr", "mode: expected 'enforce', 'monitor' or 'off' (did you mean 'monitor'?)"),
    ],
)
def test_a_policy_is_refused_in_plain_words(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match="acme") as caught:
        parse_document(text, FILE).validate(PolicyDocument)
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["identity: {allow_networks: [10.0.0.1/8]}", "control: {proxies: [house]}"])
def test_settings_name_networks_in_plain_words(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"expected a network such as 10\.0\.0\.0/8"):
        parse_document(text, FILE).validate(Settings)


@pytest.mark.parametrize(
    ("text", "place", "model"),
    [
        ("rules: [{id: x, action: flag, when: {min_confidence: true}}]", "min_confidence: expected a number", None),
        ("rules: [{id: x, action: flag, when: {key: [true]}}]", "rules.0.when.key.0: expected a whole number", None),
        ("limits: {concurrent: true}", "limits.concurrent: expected a whole number", None),
        ("limits: {apps: {bot: {concurrent: true}}}", "limits.apps.bot.concurrent: expected a whole number", None),
        ("levels: {user: true}", "levels.user: expected a whole number", None),
        ("judges: {when: [{confidence: [false, true]}]}", "judges.when.0.confidence.0: expected a number", None),
        ("workers: true", "workers: expected a whole number", Settings),
    ],
)
def test_true_is_no_number(text: str, place: str, model: type[BaseModel] | None) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_document(text, FILE).validate(model or PolicyDocument)
    assert place in str(caught.value)


def test_true_stays_what_it_is_where_it_is_meant() -> None:
    text = "judges: {concurrent: true}\noutput: {schema: {additionalProperties: false}}\nleakage: {canary: false}"
    read = parse_document(text, FILE).validate(PolicyDocument)
    assert read.output is not None
    assert (read.judges.concurrent, read.leakage.canary) == (True, False)
    assert read.output.json_schema == {"additionalProperties": False}


def test_no_words_repeat_the_value() -> None:
    class Call(BaseModel):
        model_config = ConfigDict(extra="forbid")
        number: int = 0

    for given in ({"number": "sesame"}, {"number": 1, "more": "sesame"}):
        with pytest.raises(ValidationError) as caught:
            TypeAdapter(Call).validate_python(given)
        assert "sesame" not in in_plain_words(dict(caught.value.errors()[0]))
