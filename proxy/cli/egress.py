"""`promptshield egress`: the HTTP proxy for apps that cannot change their base URL."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

import proxy.egress
from detectors.errors import SettingsError
from proxy.cli.common import ConfigOption, DataOption, progress
from proxy.egress.settings import EgressSettings
from proxy.runtime.listening import url_of
from proxy.settings import Settings, load_settings
from storage.keys.house_keys import open_house_keys

ADDON: Final = Path(proxy.egress.__file__).parent / "mitm" / "addon.py"
# Beside our own environment: mitmproxy pins what we use too.
MITMDUMP: Final = Path(sys.prefix).parent / ".venv-egress" / "bin" / "mitmdump"


def egress(
    config: ConfigOption = None,
    data: DataOption = None,
    plane: Annotated[str, typer.Option("--proxy", help="The data plane, if not the one of the settings.")] = "",
    mitmdump: Annotated[Path, typer.Option(help="mitmproxy's command; `make egress` installs it.")] = MITMDUMP,
) -> None:
    """Run mitmproxy in front of the running firewall, for apps that know only HTTPS_PROXY."""
    settings = load_settings(config, data=data)
    if not mitmdump.exists():
        raise SettingsError(
            "egress", None, f"there is no {mitmdump}: run make egress, which installs mitmproxy beside us"
        )
    listener, folder = settings.egress, settings.data.absolute() / "egress"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    told = folder / "addon.json"
    _write(told, _told(settings, plane))
    progress(f"apps:  HTTPS_PROXY=http://<a PromptShield key>:@{listener.host}:{listener.port}")
    progress(f"       and the CA of {folder}/mitmproxy-ca-cert.pem, which exists a moment from now:")
    progress("       SSL_CERT_FILE=<file>, REQUESTS_CA_BUNDLE=<file>, NODE_EXTRA_CA_CERTS=<file>, curl --cacert <file>")
    progress(f"read:  {', '.join(sorted(listener.read))}; every other host passes untouched (docs/egress.md)")
    command = [str(mitmdump), *_options(listener, folder)]
    os.execve(command[0], command, {**os.environ, "PROMPTSHIELD_EGRESS": str(told)})  # noqa: S606 - no shell is wanted


def _plane(settings: Settings, given: str) -> str:
    """Return where the data plane is. Raises SettingsError for TLS: keys and texts would go there in the clear."""
    listener = settings.proxy
    where = given or url_of("http" if listener.tls is None else "https", listener.host, listener.port)
    if not where.startswith("http://"):
        problem = f"{where} speaks TLS, which egress mode does not on its way there: name a plain address by --proxy"
        raise SettingsError("egress", None, problem)
    return where


def _told(settings: Settings, plane: str) -> str:
    where = _plane(settings, plane)
    token = open_house_keys(settings.keys_folder).egress_token()
    return json.dumps({"plane": where, "token": token, "hosts": sorted(settings.egress.read)})


def _options(listener: EgressSettings, folder: Path) -> list[str]:
    """Return mitmdump's options: connect late, since exchanges go elsewhere; believe nobody's certificate but ours.

    Late also because the addon knows hosts by their names, and each connection gets an address in their place.
    """
    wanted = {
        "confdir": folder,
        "connection_strategy": "lazy",
        "upstream_cert": "false",
        "http2": "false",  # what is handed over is HTTP/1.1
        "flow_detail": 0,
        "termlog_verbosity": "warn",
        "showhost": "true",
    }
    pairs = [part for name, value in wanted.items() for part in ("--set", f"{name}={value}")]
    return [
        "--mode",
        "regular",
        "--listen-host",
        listener.host,
        "--listen-port",
        str(listener.port),
        "-s",
        str(ADDON),
        *pairs,
    ]


def _write(file: Path, text: str) -> None:
    """The token in it lets whoever has it name any host: nobody else may read it."""
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(text)
