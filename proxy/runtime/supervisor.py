"""`promptshield serve`: engines, then everything loaded, then forked; whatever falls is put up again.

The supervisor starts no thread and no event loop: it forks, and Linux sends the parent-death signal when the thread
that made a child ends.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import orjson
import structlog
from aiohttp.http_parser import RawRequestMessage, RawRequestMessagePy

from detectors.errors import EngineError, PromptShieldError, SettingsError, StorageError
from proxy.app import Detection, load_detection
from proxy.certificate import load_certificates
from proxy.control.place import ControlPlace
from proxy.demo.upstream import demo_upstreams, run_demo
from proxy.edge_settings import Listener
from proxy.published_schema import publish_schema
from proxy.runtime.installation import (
    Prepared,
    embedded_engines,
    engine_urls,
    instance_name,
    note_running,
    prepare_policies,
    runtime_file,
)
from proxy.runtime.listening import insist_on_free, is_ready, open_channel, open_listeners, stop_listening, url_of
from proxy.runtime.processes import Main, Process, apart, share_memory, take_descriptors
from proxy.runtime.signals import ENDING, SIGNALS, is_asked_to_end, keep_signals
from proxy.runtime.worker import WorkerPlace, run_worker
from proxy.settings import Settings
from proxy.telemetry.logs import LogFile
from storage.embedded import EmbeddedEngines, EngineUrls
from storage.keys.house_keys import HouseKeys, open_house_keys

_LOG: Final = structlog.get_logger("promptshield.supervisor")
_START_PATIENCE: Final = 30.0
_MOMENT: Final = 0.1  # seconds between two looks whether the end is asked for
_LAST_PATIENCE: Final = 15.0  # seconds for the control plane to ship what is left
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Running:
    """What a start hands to the person who started it."""

    proxy_url: str
    control_url: str
    demo_key: str
    demo_upstream: bool
    admin_name: str
    admin_password: str  # of one time, where this start made the first administrator


class Supervisor:
    """Owns the engines, the listening sockets and the processes. `start`, then `watch` until a signal, then `stop`."""

    def __init__(self, settings: Settings, report: Report, log: LogFile | None = None) -> None:
        self._settings, self._report, self._log = settings, report, log
        self._engines: EmbeddedEngines | None = None
        self._workers: list[Process] = []
        self._others: list[Process] = []
        self._listening: Sequence[socket.socket] = ()
        self._owner = False  # of the data folder: else what lies there is how commands find the server that is

    def start(self) -> Running | None:
        """Bring everything up; None if somebody asked for the end meanwhile.

        Raises PromptShieldError with what to do about it. Nothing is left running either way.
        """
        insist_on_c_parser()
        load_certificates(self._settings)  # a bad pair is to be told now, not by each worker
        keep_signals()
        take_descriptors()
        settings, made = self._settings, None
        if is_asked_to_end():
            return None
        insist_on_free(settings.proxy, settings.control)
        house_keys = open_house_keys(settings.keys_folder)
        self._engines = embedded_engines(settings, house_keys, self._report)
        try:
            urls = engine_urls(settings, self._engines.start())
            self._owner = True
            prepare_policies(settings.policies_folder)
            publish_schema(settings.data)
            detection = load_detection()
            # In a child: it needs an event loop, and whatever it opens must not outlive it.
            preparing = apart(
                "proxy.runtime.preparation", "prepare", settings, detection, house_keys, urls, self._report
            )
            answer = run_apart(preparing)
            made = None if answer is None else Prepared(**orjson.loads(answer))
            if made is not None and not is_asked_to_end():
                running = self._fork(settings, detection, house_keys, urls, made)
                note_running(settings, urls)
                if self._await_workers(running):
                    return running
        except OSError as exc:
            self._give_up(made)
            raise StorageError(_told(exc)) from exc
        except BaseException:
            self._give_up(made)
            raise
        self._give_up(made)
        return None

    def watch(self) -> None:
        """Put up again whatever falls, until SIGTERM or SIGINT."""
        while True:
            received = signal.sigtimedwait(SIGNALS, 0.5)
            if received is not None and received.si_signo in ENDING:
                return
            if self._engines is not None:
                for name in self._engines.poll():
                    _LOG.warning("engine started again", engine=name)
            self._replace_the_fallen()
            if self._log is not None:
                self._log.rotate()

    def stop(self) -> None:
        """Let workers finish, then the control plane ship what is left, then the engines. A second signal hurries."""
        control = [p for p in self._others if p.name == "control"]
        others = [p for p in self._others if p.name != "control"]
        hurried = _end(self._workers, self._settings.edge.grace, kill=False)
        stop_listening(self._listening)
        _end(self._workers, 0 if hurried else self._settings.edge.drain + 5)
        _end(control, _LAST_PATIENCE)
        _end(others, 2)
        if self._engines is not None:
            self._engines.stop()
        if self._owner:
            runtime_file(self._settings).unlink(missing_ok=True)

    def _give_up(self, made: Prepared | None) -> None:
        if made is not None and made.admin_password:  # nobody will be told again
            self._report(f"the first administrator was made: {made.admin_name}, password {made.admin_password}")
        self.stop()

    def _replace_the_fallen(self) -> None:
        for process in (*self._workers, *self._others):
            process.reap()
            if not process.pid and time.monotonic() >= process.again_at:
                process.start()

    def _fork(
        self, settings: Settings, detection: Detection, house_keys: HouseKeys, urls: EngineUrls, made: Prepared
    ) -> Running:
        """Open the sockets once and for all, then fork every process."""
        count = settings.workers
        listeners = self._listening = open_listeners(settings.proxy, count)
        control_listener = open_listeners(settings.control, 1)[0]
        settings = _listening_at(settings, listeners[0], control_listener)
        inbox, outbox = open_channel()
        instance = instance_name(settings)
        if not settings.upstreams:
            demo_listener = open_listeners(Listener(port=0), 1)[0]
            self._others.append(Process("demo", partial(run_demo, demo_listener)))
            settings = settings.model_copy(update={"upstreams": demo_upstreams(demo_listener.getsockname()[1])})
        control_place = ControlPlace(control_listener, inbox, instance)
        # Its pages and its sign-in take a fifth of a second to load, and are of no use to a worker.
        run_control = apart("proxy.control.plane", "run_control", settings, detection, house_keys, urls, control_place)
        self._others.append(Process("control", run_control))
        for number, listener in enumerate(listeners):
            place = WorkerPlace(number, listener, outbox, instance)
            main = partial(run_worker, settings, detection, house_keys, urls, place)
            self._workers.append(Process(f"worker {number}", main))
        share_memory()
        for process in (*self._others, *self._workers):
            process.start()
        return Running(
            proxy_url=url_of(
                "http" if settings.proxy.tls is None else "https", settings.proxy.host, listeners[0].getsockname()[1]
            ),
            control_url=url_of("http", settings.control.host, control_listener.getsockname()[1]),
            demo_key=made.demo_key,
            demo_upstream=settings.upstreams[0].name == "demo",
            admin_name=made.admin_name,
            admin_password=made.admin_password,
        )

    def _await_workers(self, running: Running) -> bool:
        """Return once a worker is ready, False if the end is asked for. Raises EngineError when they cannot run."""
        deadline = time.monotonic() + _START_PATIENCE
        address = urlsplit(running.proxy_url)
        while time.monotonic() < deadline:
            if is_ready(address.scheme, address.hostname or "", address.port or 0):
                return True
            if is_asked_to_end():
                return False
            self._replace_the_fallen()
            if any(process.failures > 2 for process in (*self._workers, *self._others)):
                break
            signal.sigtimedwait({signal.SIGCHLD}, 0.02)
        raise EngineError("the workers do not come up: the lines above say why")


def _listening_at(settings: Settings, proxy: socket.socket, control: socket.socket) -> Settings:
    """Return the settings with the ports that the system chose where they leave it to that."""
    ports = {"proxy": proxy.getsockname()[1], "control": control.getsockname()[1]}
    chosen = {name: getattr(settings, name).model_copy(update={"port": port}) for name, port in ports.items()}
    return settings.model_copy(update=chosen)


def run_apart(main: Main) -> str | None:
    """Run a coroutine that returns a string in a child of its own; None if it ended because that is asked for.

    Raises StorageError with what it said went wrong.
    """
    readable, writable = os.pipe()

    async def report() -> None:
        try:
            answer = {"result": await main()}
        except PromptShieldError as exc:
            answer = {"problem": str(exc)}
        except OSError as exc:
            answer = {"problem": _told(exc)}
        os.write(writable, orjson.dumps(answer))

    process = Process("preparation", report)
    process.start()
    os.close(writable)
    with os.fdopen(readable, "rb") as pipe:
        while not select.select([pipe], [], [], _MOMENT)[0]:
            if is_asked_to_end():
                process.signal(signal.SIGTERM)
        raw = pipe.read()
    os.waitpid(process.pid, 0)
    if not raw and is_asked_to_end():
        return None
    answer = orjson.loads(raw) if raw else {"problem": "the preparation failed: the lines above say why"}
    if "problem" in answer:
        raise StorageError(answer["problem"])
    result: str = answer["result"]
    return result


def _told(exc: OSError) -> str:
    return f"{exc.filename}: {exc.strerror}" if exc.filename else str(exc)


def insist_on_c_parser() -> None:
    """Raise SettingsError where aiohttp would parse HTTP in Python, which has been open to request smuggling."""
    if RawRequestMessage is RawRequestMessagePy:
        problem = "aiohttp runs without its C extension, whose parser is the strict one: install a wheel, and unset "
        raise SettingsError("environment", None, problem + "AIOHTTP_NO_EXTENSIONS")


def _end(processes: Sequence[Process], patience: float, *, kill: bool = True) -> bool:
    """Ask them to end, wait, and kill what is left. A signal while waiting means at once: return whether one came."""
    hurried = False
    for process in processes:
        process.signal(signal.SIGTERM)
    deadline = time.monotonic() + patience
    while any(process.pid for process in processes) and time.monotonic() < deadline:
        received = signal.sigtimedwait(SIGNALS, 0.1)
        if received is not None and received.si_signo in ENDING:
            hurried, deadline = True, time.monotonic()
        for process in processes:
            process.reap()
    for process in processes if kill else ():
        process.signal(signal.SIGKILL)
        if process.pid:
            os.waitpid(process.pid, 0)
            process.pid = 0
    return hurried
