"""What is looked for beside what ships, put together for each tenant: operators' signatures and the tenant's head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from detectors.lexicon import Lexicon
from detectors.models.classifier_model import load_classifier
from detectors.views import ViewBuilder
from proxy.additions.head_files import HeadFiles
from proxy.additions.operator_packs import OperatorPacks
from proxy.additions.tenant_heads import TenantHeads
from proxy.settings import Settings
from storage.pack_manifest import PackSigners


@dataclass(frozen=True, slots=True)
class Additions:
    """One process's, each part of which follows its files."""

    packs: OperatorPacks
    heads: TenantHeads

    def lexicon(self, policy: Lexicon, tenant: str, tenant_id: int | None) -> Lexicon:
        """Return a policy's lexicon with what is added for this tenant; nobody else's."""
        return self.heads.lexicon(self.packs.lexicon(policy, tenant), tenant_id)

    @property
    def failures(self) -> Mapping[str, str]:
        """What could not be taken in: packs by their tenant's slug (`""`: everybody's), and why."""
        return self.packs.failures

    def recover(self) -> None:
        """Take in what there is; a bad pack is served by its last good copy. Raises SignatureError without one."""
        self.heads.look()
        self.packs.recover()

    async def reload(self) -> None:
        """Take in what changed. What cannot be used leaves the last good in force."""
        await self.packs.reload()
        await self.heads.reload()


def additions(settings: Settings, views: ViewBuilder) -> Additions:
    """Return an installation's, not yet read. Raises SignatureError for a bad file of signers' keys."""
    signers = PackSigners.from_file(settings.keys_folder / "pack-signers")
    packs = OperatorPacks(settings.data / "signatures", views, signers, settings.data / "last-good-signatures")
    return Additions(packs, TenantHeads(HeadFiles(settings.heads_folder), load_classifier().revision))
