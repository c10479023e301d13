"""What the control-plane process is handed at its birth: apart from all that it loads for itself."""

from __future__ import annotations

import socket
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ControlPlace:
    """What the control plane inherits: its listening socket, the workers' channel, and the instance's name."""

    listener: socket.socket
    channel: socket.socket
    instance: str
