"""The control plane's tests share the databases that those of storage are made of."""

from tests.storage.conftest import database, empty_database, make_record, migrated, tenant

__all__ = ["database", "empty_database", "make_record", "migrated", "tenant"]
