"""An incident as an event of the Open Cybersecurity Schema Framework: Incident Finding (2005), OCSF 1.8.0."""

from __future__ import annotations

from typing import Any, Final

from storage.incidents import Incident
from storage.ocsf import VERSION

JsonObject = dict[str, Any]
_CLASS: Final = 2005
_SEVERITIES: Final = {"low": (2, "Low"), "medium": (3, "Medium"), "high": (4, "High"), "critical": (5, "Critical")}
_STATUSES: Final = {
    "open": (1, "New"),
    "investigating": (2, "In Progress"),
    "resolved": (4, "Resolved"),
    "dismissed": (5, "Closed"),
}
_ACTIVITIES: Final = {"opened": (1, "Create"), "changed": (2, "Update"), "closed": (3, "Close")}


def ocsf_incident(incident: Incident, activity: str) -> JsonObject:
    """Return the event; `activity` is opened, changed or closed. It holds no text of anybody."""
    activity_id, activity_name = _ACTIVITIES[activity]
    severity_id, severity = _SEVERITIES[incident.severity]
    status_id, status = _STATUSES[incident.status]
    return {
        "activity_id": activity_id, "activity_name": activity_name,
        "category_uid": 2, "category_name": "Findings",
        "class_uid": _CLASS, "class_name": "Incident Finding",
        "type_uid": _CLASS * 100 + activity_id, "type_name": f"Incident Finding: {activity_name}",
        "time": int(incident.updated_at.timestamp() * 1000),
        "start_time": int(incident.opened_at.timestamp() * 1000),
        "severity_id": severity_id, "severity": severity,
        "status_id": status_id, "status": status,
        "desc": incident.title,
        "is_suspected_breach": incident.rule == "credential_leak",
        "finding_info_list": [{"uid": str(incident.id), "title": incident.title, "types": [incident.rule]}],
        "assignee": {"name": incident.assignee or "nobody"},
        "metadata": {
            "version": VERSION,
            "product": {"name": "PromptShield", "vendor_name": "PromptShield"},
            "uid": f"incident-{incident.id}",
            "tenant_uid": str(incident.tenant_id),
            "labels": [f"tenant:{incident.tenant}"],
        },
        "unmapped": {"subject": incident.subject, "decisions": incident.decisions},
    }  # fmt: skip
