import orjson
import pytest

from detectors.errors import StorageError
from storage.archive.manifest import SUFFIX, manifest_bytes, manifest_of, object_key, read_manifest, tenant_prefix
from storage.published import published_rows
from tests.storage.sinks.records import record

ROWS = published_rows([record(7), record(7)])
KEY = object_key("audit", 7, ROWS[0]["opened_at"][:10], ROWS[0]["id"], ROWS[-1]["id"])


def test_a_tenant_has_a_folder_of_its_own() -> None:
    assert KEY.startswith("audit/tenant=7/date=2026-09-21/")
    assert (tenant_prefix("/a/b/", 7), tenant_prefix("", 7)) == ("a/b/tenant=7/", "tenant=7/")
    assert (tenant_prefix("a", None), tenant_prefix("", None)) == ("a/", "")


def test_a_manifest_is_read_as_it_was_written() -> None:
    manifest = manifest_of(KEY, "v1", ROWS, b"content")
    assert read_manifest(KEY + SUFFIX, manifest_bytes(manifest)) == manifest
    assert (manifest.rows, manifest.first_id, manifest.last_id) == (2, ROWS[0]["id"], ROWS[1]["id"])


def test_other_content_is_not_what_the_manifest_says() -> None:
    manifest = manifest_of(KEY, "", ROWS, b"content")
    manifest.refuse_other(b"content")
    for other in (b"contenT", b"content ", b""):
        with pytest.raises(StorageError):
            manifest.refuse_other(other)


@pytest.mark.parametrize(
    "change",
    [
        {"date": "../../etc"},
        {"tenant_id": 8},
        {"object": "audit/tenant=8/x"},
        {"schema_version": "other/9"},
        {"rows": "x"},
    ],
)
def test_a_manifest_that_was_changed_or_moved_is_refused(change: dict[str, object]) -> None:
    document = orjson.loads(manifest_bytes(manifest_of(KEY, "", ROWS, b"content"))) | change
    with pytest.raises(StorageError):
        read_manifest(KEY + SUFFIX, orjson.dumps(document))
