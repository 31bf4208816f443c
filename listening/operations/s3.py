"""S3-compatible storage, of media and of backups: how it is reached."""

from __future__ import annotations

#: The storage of Django for a bucket.
BACKEND = "storages.backends.s3.S3Storage"
#: A server that is away is an error after seconds, not after the minutes of boto3's defaults.
CONNECT_SECONDS = 5
ATTEMPTS = 3


def s3_options(bucket: str, endpoint: str | None) -> dict[str, object]:
    """The options of `BACKEND` for a bucket; credentials come as boto3 takes them.

    Args:
        bucket: its name.
        endpoint: URL of an S3-compatible server; None: Amazon's.

    Raises:
        ImportError: boto3 is not installed.
    """
    from botocore.config import Config

    retries = {"max_attempts": ATTEMPTS, "mode": "standard"}
    return {
        "bucket_name": bucket,
        "endpoint_url": endpoint,
        "client_config": Config(connect_timeout=CONNECT_SECONDS, retries=retries),
    }


def media_storage(bucket: str, endpoint: str | None) -> dict[str, object]:
    """The entry of Django's STORAGES for a bucket of media."""
    # As with files on a disk, a second of the same name gets another.
    return {"BACKEND": BACKEND, "OPTIONS": s3_options(bucket, endpoint) | {"file_overwrite": False}}
