"""The embedded engines: a private Postgres and Valkey out of Python wheels, for a first run without any server.

The supervisor owns them: it calls `start()` once, `poll()` about every second and `stop()` at the end, needs no
event loop and no thread, and when it is killed both engines go with it.
"""

from storage.embedded.engines import EmbeddedEngines
from storage.embedded.types import EnginePasswords, EngineUrls

__all__ = ["EmbeddedEngines", "EnginePasswords", "EngineUrls"]
