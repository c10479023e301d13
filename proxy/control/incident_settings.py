"""When signs in the log become incidents, and whom the control plane tells of them: read by every command, so light."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, FilePath, IPvAnyNetwork

from proxy.base_urls import BaseUrl


class NoticeSettings(BaseModel):
    """Where incidents are posted: as a signed webhook if there is a `secret` (whsec_...), else as OCSF events.

    Only public addresses over HTTPS, unless `allow_networks` names the network of the receiver. `timeout` is seconds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: BaseUrl = Field(repr=False)
    secret: str = Field(default="", repr=False, pattern=r"^(whsec_[A-Za-z0-9+/=]{32,88})?$")
    authorization: str = Field(default="", repr=False)
    allow_networks: tuple[IPvAnyNetwork, ...] = ()
    ca_file: FilePath | None = None
    timeout: float = Field(default=10, gt=0, le=60)


class IncidentSettings(BaseModel):
    """A spike is `spike_least` blocks within `window` minutes and `spike_times` as many as in the last day.

    Repeated blocks are so many of one key, or of one session, within the window. `every` is seconds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    every: float = Field(default=30, ge=1, le=3600)
    window: int = Field(default=10, ge=1, le=1440)
    spike_least: int = Field(default=20, ge=1)
    spike_times: float = Field(default=5, ge=1)
    blocks_of_key: int = Field(default=20, ge=2)
    blocks_of_session: int = Field(default=8, ge=2)
    notices: tuple[NoticeSettings, ...] = Field(default=(), max_length=8)
