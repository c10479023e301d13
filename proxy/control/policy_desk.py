"""Where operations read, compile, test and keep a tenant's policies, as the commands of `promptshield policy` do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from detectors.build import rule_ids
from detectors.documents import parse_document
from detectors.errors import OperationError, PolicyError
from detectors.lexicon import Lexicon
from policies.folders import refuse_word_files
from policies.loader import LoadedPolicy, load_policy_text
from policies.testing import TestResult, run_tests, screen_preamble
from policies.types import Policy
from proxy.control.operations import Call, not_found
from proxy.control.parts import ControlParts
from proxy.held_policies import held_folder, library_of
from proxy.request_reader import CodecReader
from storage.policy_versions import PolicyVersion, PolicyVersions
from storage.tenants.key_book import KeyBook

OWN: Final = "_"  # the tenant's own policy, where a path names an app; no app can have this name
PATIENCE: Final = 30.0  # seconds that compiling, testing or replaying one policy may take
_LAST_VERSION: Final = 2**31 - 1
_BEGINNING: Final = "extends: preset/standard\n"


@dataclass(frozen=True, slots=True)
class PolicyPlace:
    """A policy by name: a tenant's, or that of one of its apps."""

    slug: str
    app: str | None

    @property
    def name(self) -> str:
        return self.slug if self.app is None else f"{self.slug}/{self.app}"


async def place_of(call: Call) -> PolicyPlace:
    """Return which policy a path means. Raises OperationError 404 for an app that the tenant does not have."""
    return await place_named(call, None if call.names["app"] == OWN else call.names["app"])


async def place_named(call: Call, app: str | None) -> PolicyPlace:
    """Raises OperationError 404 for an app that the tenant does not have."""
    tenant = call.the_tenant()
    if app is not None and await KeyBook(call.parts.database, tenant.id).find_app(app) is None:
        raise not_found()
    return PolicyPlace(tenant.slug, app)


def own_file(parts: ControlParts, place: PolicyPlace) -> Path:
    return parts.settings.policies_folder / f"{place.name}.yaml"


def in_force(parts: ControlParts, place: PolicyPlace) -> Policy:
    """Return what decides for the place now: its own policy, its tenant's, or the default."""
    return parts.policies.nearest(place.slug, place.app or "")


async def text_in_force(parts: ControlParts, place: PolicyPlace) -> str:
    """Return the text of the place's own policy, or what a first one begins with. Raises StorageError."""
    held = await held_version(parts, place)
    if held is not None:
        return held.content
    try:
        return await asyncio.to_thread(own_file(parts, place).read_text, "utf-8-sig")
    except FileNotFoundError:
        return _BEGINNING
    except (OSError, UnicodeDecodeError) as exc:
        raise PolicyError(f"{place.name}.yaml", None, "cannot be read") from exc


async def held_version(parts: ControlParts, place: PolicyPlace) -> PolicyVersion | None:
    """Return the version of the database that is in force."""
    return await PolicyVersions(parts.database).find(place.name)


async def version_of(parts: ControlParts, place: PolicyPlace, number: int) -> PolicyVersion:
    """Raises OperationError 404."""
    found = await PolicyVersions(parts.database).find(place.name, number) if number <= _LAST_VERSION else None
    if found is None:
        raise not_found()
    return found


async def load(parts: ControlParts, place: PolicyPlace, content: str) -> LoadedPolicy:
    """Compile a text as the policy of a place, beside the event loop. Raises PolicyError, OperationError 422 if that
    takes too long.
    """
    file = own_file(parts, place)  # only to name it: problems tell places in the text
    known, library = rule_ids(parts.detection.rules), library_of(parts.settings)
    refuse_word_files(parse_document(content, file, PolicyError))
    async with patience(parts):
        loaded = await asyncio.to_thread(load_policy_text, content, file, place.name, known, library)
        loaded = loaded.looking_for(signatures_of(parts, place))
        await screen_preamble(loaded, parts.detection.chain, parts.detection.actions)
    return loaded


def signatures_of(parts: ControlParts, place: PolicyPlace) -> Callable[[Lexicon], Lexicon]:
    """Return what adds the signatures of the installation and of the place's tenant to a policy's words."""
    return lambda lexicon: parts.signatures.lexicon(lexicon, place.slug)


async def tested(parts: ControlParts, loaded: LoadedPolicy) -> tuple[TestResult, ...]:
    """Run a policy's own tests. Raises OperationError 422 if that takes too long."""
    reader = CodecReader(parts.detection.codecs)
    async with patience(parts):
        return await run_tests(loaded, parts.detection.chain, parts.detection.actions, reader)


async def save_draft(call: Call, place: PolicyPlace, content: str, reason: str) -> tuple[int, LoadedPolicy]:
    """Keep a text that loads and passes its tests. Raises PolicyError, StorageError, OperationError."""
    call.hold_to_living()
    refuse_files(call.parts, place)
    loaded = await load(call.parts, place, content)
    for result in await tested(call.parts, loaded):
        if not result.passed:
            raise OperationError(422, "test_failed", f"test '{result.name}' {result.problems[0]}", "content")
    number = await PolicyVersions(call.parts.database).save(
        place.name, content, loaded.policy.revision, call.principal.name, reason
    )
    return number, loaded


def without_folders(parts: ControlParts, problem: str) -> str:
    """Return what is wrong with a file without where on this machine it lies."""
    for folder in (parts.settings.policies_folder, held_folder(parts.settings), parts.settings.data):
        problem = problem.replace(f"{folder}/", "")
    return problem


def refuse_files(parts: ControlParts, place: PolicyPlace) -> None:
    """A policy is a file or the database's, never both. Raises OperationError 409."""
    if own_file(parts, place).is_file():
        problem = "This policy is a file of the operator's: it has to be removed before the database holds the policy."
        raise OperationError(409, "policy_is_a_file", problem)


@asynccontextmanager
async def patience(parts: ControlParts, seconds: float = PATIENCE) -> AsyncIterator[None]:
    """Bound what one caller's policy may take of this process, and how many are at it. Raises OperationError 422."""
    try:
        async with asyncio.timeout(seconds), parts.trials:
            yield
    except TimeoutError as exc:
        raise OperationError(422, "too_expensive", f"This took more than {seconds:g} seconds.") from exc
