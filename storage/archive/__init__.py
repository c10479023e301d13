"""The archive: decisions as Parquet objects with manifests. Loaded only where an `s3` sink is used."""
