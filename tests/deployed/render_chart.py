"""Run in `.venv-deploy`: renders the chart with Helm's own engine, checks each manifest against Kubernetes' schemas.

Reads {"values": {...}} from standard input and writes {"documents": [...], "problems": [...]}.
"""

import json
import sys
from pathlib import Path

import helm_python
import kubernetes_validate
import yaml

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "promptshield"
KUBERNETES = "1.37"


def main() -> None:
    asked = json.load(sys.stdin)
    documents, problems = [], []
    try:
        with helm_python.Chart.load(str(CHART)) as chart:
            rendered = chart.render(asked["values"], name="ps", namespace="llm")
    except helm_python.HelmError as exc:
        json.dump({"documents": [], "problems": [str(exc)]}, sys.stdout)
        return
    for path, text in sorted(rendered.items()):
        if path.endswith(".yaml"):
            documents += [document for document in yaml.safe_load_all(text) if document]
    for document in documents:
        if document["apiVersion"].startswith("monitoring.coreos.com/"):  # a custom resource: Kubernetes has no schema
            continue
        try:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)
        except kubernetes_validate.ValidationError as exc:
            problems.append(f"{document['kind']}: {exc}")
    json.dump({"documents": documents, "problems": problems}, sys.stdout)


main()
