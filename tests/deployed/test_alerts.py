"""The alerts by promtool, and two of them for real: they fire, and they clear."""

from __future__ import annotations

import subprocess

from tests.deployed.prometheus import DEPLOYED
from tests.deployed.watched import Scene


def promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=DEPLOYED, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_rules_and_configuration() -> None:
    promtool("check", "config", "prometheus.yaml")
    promtool("check", "rules", "alerts.yaml")


def test_each_alert_fires_in_its_bad_time_and_is_quiet_after_it() -> None:
    promtool("test", "rules", "alerts_test.yaml")


def test_nothing_but_what_the_traffic_brought_about_fires(watched: Scene) -> None:
    # Traffic with upstreams that are away and pictures that nobody can look at, and an exclusion that ends in days.
    assert watched.prometheus.firing() <= {"HighFailureRate", "UnscannedParts", "ExclusionExpiring", "BlockRateSpike"}


def test_a_broken_policy_file_raises_an_alert_and_mending_it_ends_the_alert(watched: Scene) -> None:
    file = watched.product.data / "policies" / "demo.yaml"
    good = file.read_text()
    file.write_text("rulez: []\n")
    watched.prometheus.wait_for(lambda: "PolicyReloadFailed" in watched.prometheus.firing(), 20)
    file.write_text(good)

    watched.prometheus.wait_for(lambda: "PolicyReloadFailed" not in watched.prometheus.firing(), 20)


def test_a_worker_that_stops_raises_an_alert_until_it_goes_on(watched: Scene) -> None:
    worker = watched.product.worker_pids()[0]
    subprocess.run(["kill", "-STOP", str(worker)], check=True)
    try:
        watched.prometheus.wait_for(lambda: "WorkersMissing" in watched.prometheus.firing(), 25)
    finally:
        subprocess.run(["kill", "-CONT", str(worker)], check=True)

    watched.prometheus.wait_for(lambda: "WorkersMissing" not in watched.prometheus.firing(), 25)
