"""Telling endpoints of incidents: signed webhooks or OCSF events, to public addresses only unless allowed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from detectors.errors import StorageError
from proxy.control.incident_settings import NoticeSettings
from storage.egress import Destination, Egress
from storage.incidents import Incident
from storage.ocsf_incident import ocsf_incident
from storage.published import json_line

_LOG: Final = structlog.get_logger("promptshield.incidents")
_TRIES: Final = 3


class IncidentNotices:
    """One call for each incident and endpoint, tried three times by the runs that follow; the log has all of them."""

    def __init__(self, settings: Sequence[NoticeSettings], clock: Callable[[], float] = time.time) -> None:
        self._endpoints = [(one, Egress(_destination(one), 2)) for one in settings]
        self._clock = clock
        self._waiting: list[tuple[int, Incident, str, int]] = []

    def tell(self, incident: Incident, activity: str) -> None:
        """Take note that an incident was opened, changed or closed; never waits."""
        self._waiting += [(index, incident, activity, 0) for index in range(len(self._endpoints))]
        del self._waiting[:-1000]

    async def run_once(self) -> None:
        """Call for all that waits."""
        waiting, self._waiting = self._waiting, []
        for index, incident, activity, tried in waiting:
            problem = await self._call(index, incident, activity)
            if problem and tried + 1 < _TRIES:
                self._waiting.append((index, incident, activity, tried + 1))
            elif problem:
                _LOG.warning("an endpoint was not told of an incident", incident=incident.id, problem=problem)

    async def _call(self, index: int, incident: Incident, activity: str) -> str:
        """Return why that failed, or an empty string."""
        settings, egress = self._endpoints[index]
        body = _body(settings, incident, activity)
        try:
            reply = await egress.post(body, self._headers(settings, incident, activity, body))
        except StorageError as exc:
            return str(exc)
        return "" if reply.status < 300 else f"it answered {reply.status}"

    async def close(self) -> None:
        for _, egress in self._endpoints:
            await egress.close()

    def _headers(self, settings: NoticeSettings, incident: Incident, activity: str, body: bytes) -> Mapping[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "PromptShield"}
        if settings.authorization:
            headers["Authorization"] = settings.authorization
        if settings.secret:
            name, at = f"incident-{incident.id}-{activity}", str(int(self._clock()))
            key = base64.b64decode(settings.secret.removeprefix("whsec_"))
            digest = hmac.digest(key, f"{name}.{at}.".encode() + body, hashlib.sha256)
            signature = f"v1,{base64.b64encode(digest).decode()}"
            headers |= {"webhook-id": name, "webhook-timestamp": at, "webhook-signature": signature}
        return headers


def _destination(settings: NoticeSettings) -> Destination:
    return Destination(settings.url, settings.allow_networks, settings.ca_file, settings.timeout)


def _body(settings: NoticeSettings, incident: Incident, activity: str) -> bytes:
    event = ocsf_incident(incident, activity)
    if not settings.secret:
        return json_line(event)
    return json_line(
        {"type": f"incident.{activity}", "timestamp": incident.updated_at.isoformat(), "data": event["unmapped"] | {
            "id": incident.id, "tenant": incident.tenant, "rule": incident.rule, "title": incident.title,
            "severity": incident.severity, "status": incident.status, "assignee": incident.assignee,
        }}
    )  # fmt: skip
