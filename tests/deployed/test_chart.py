"""The Helm chart, rendered by Helm's own engine and held against Kubernetes' schemas. No cluster was asked."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).parents[2]
EVERYTHING: Final = {
    "autoscaling": {"enabled": True},
    "ingress": {"enabled": True, "host": "llm.example.org", "tlsSecret": "edge"},
    "tls": {"secret": "pods"},
    "monitoring": {"serviceMonitor": True, "rules": True, "dashboards": True},
    "engine": {"enabled": True},
    "settings": {"metrics": {"tenants": 200}},
}


def render(values: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [ROOT / ".venv-deploy/bin/python", ROOT / "tests/deployed/render_chart.py"],
        input=json.dumps({"values": values}), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    rendered = render(EVERYTHING)
    assert rendered["problems"] == []
    return {f"{d['kind']}/{d['metadata']['name']}": d for d in rendered["documents"]}


def test_the_chart_as_it_comes_is_valid() -> None:
    rendered = render({})

    assert rendered["problems"] == []
    kinds = {document["kind"] for document in rendered["documents"]}
    assert kinds == {"ConfigMap", "NetworkPolicy", "PodDisruptionBudget", "Service", "StatefulSet"}


def test_with_everything_on_all_parts_are_there(whole: dict[str, Any]) -> None:
    assert {
        "Deployment/ps-engine", "HorizontalPodAutoscaler/ps", "Ingress/ps", "PrometheusRule/ps", "ServiceMonitor/ps"
    } <= set(whole)  # fmt: skip
    assert sum(name.startswith("ConfigMap/ps-ps-") for name in whole) == 5


def test_a_pod_runs_unprivileged_on_a_root_that_nobody_can_write(whole: dict[str, Any]) -> None:
    for name in ("StatefulSet/ps", "Deployment/ps-engine"):
        pod = whole[name]["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert not pod["automountServiceAccountToken"]
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"]
            assert not security["allowPrivilegeEscalation"]
            assert security["capabilities"] == {"drop": ["ALL"]}


def test_a_pod_has_time_to_drain_and_to_ship(whole: dict[str, Any]) -> None:
    pod = whole["StatefulSet/ps"]["spec"]["template"]["spec"]
    settings = yaml.safe_load(whole["ConfigMap/ps"]["data"]["promptshield.yaml"])
    edge = settings["edge"]

    assert pod["terminationGracePeriodSeconds"] > edge["grace"] + edge["drain"] + 15  # the shipper's own patience
    assert whole["StatefulSet/ps"]["spec"]["volumeClaimTemplates"][0]["metadata"]["name"] == "data"
    assert settings["metrics"] == {"tenants": 200}


def test_a_control_plane_that_nobody_may_reach_is_closed_to_everybody() -> None:
    documents = render({"networkPolicy": {"monitoring": []}})["documents"]
    (policy,) = [document for document in documents if document["kind"] == "NetworkPolicy"]

    # A rule whose list of peers is empty lets everybody in.
    assert [rule["ports"][0]["port"] for rule in policy["spec"]["ingress"]] == [8000]


def test_the_engine_is_asked_by_the_proxies_alone_and_asks_nobody(whole: dict[str, Any]) -> None:
    policy = whole["NetworkPolicy/ps-engine"]["spec"]
    (engine, proxy) = (whole[name]["spec"] for name in ("Deployment/ps-engine", "StatefulSet/ps"))
    (rule,) = policy["ingress"]
    (container,) = engine["template"]["spec"]["containers"]

    assert policy["podSelector"]["matchLabels"].items() <= engine["template"]["metadata"]["labels"].items()
    assert [peer["podSelector"]["matchLabels"] for peer in rule["from"]] == [proxy["selector"]["matchLabels"]]
    assert [port["port"] for port in rule["ports"]] == [port["containerPort"] for port in container["ports"]]
    assert (policy["policyTypes"], policy["egress"]) == (["Ingress", "Egress"], [])


@pytest.mark.parametrize(
    "changed",
    [{"workers": 5}, {"drain": {"grace": 20, "seconds": 110}}, {"settings": {"log": {"level": "debug"}}}],
    ids=["workers", "drain", "settings"],
)
def test_other_settings_are_other_pods(whole: dict[str, Any], changed: dict[str, Any]) -> None:
    other = {f"{d['kind']}/{d['metadata']['name']}": d for d in render({**EVERYTHING, **changed})["documents"]}

    for name in ("StatefulSet/ps", "Deployment/ps-engine"):
        assert other[name]["spec"]["template"] != whole[name]["spec"]["template"]


def test_whoever_reads_the_settings_has_what_they_name(whole: dict[str, Any]) -> None:
    for name in ("StatefulSet/ps", "Deployment/ps-engine"):
        (container,) = whole[name]["spec"]["template"]["spec"]["containers"]
        assert container["envFrom"] == [{"secretRef": {"name": "promptshield-providers", "optional": True}}]
    assert "envFrom" not in str(render({"providers": {"secret": ""}})["documents"])


def test_a_pod_has_five_minutes_to_compile_before_it_is_held_to_be_dead(whole: dict[str, Any]) -> None:
    for name in ("StatefulSet/ps", "Deployment/ps-engine"):
        (container,) = whole[name]["spec"]["template"]["spec"]["containers"]
        assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] == 300


def test_the_rules_of_the_chart_are_those_that_promtool_tried(whole: dict[str, Any]) -> None:
    assert whole["PrometheusRule/ps"]["spec"] == yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text())


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"replica": 3}, "replica"),
        ({"workers": 0}, "workers"),
        ({"policies": {"ACME.yaml": ""}}, "ACME.yaml"),
        ({"journal": {"size": "lots"}}, "size"),
        ({"drain": {"ship": 10}}, "ship"),  # killed while it ships
    ],
)
def test_a_value_that_is_none_is_told_by_its_name(values: dict[str, Any], told: str) -> None:
    assert told in render(values)["problems"][0]
