"""Where backups lie: a folder or a bucket, both through Django's storages; and their encryption by age."""

from __future__ import annotations

import gzip
import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import IO, Any
from uuid import uuid4

from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage
from django.utils import timezone
from django.utils.module_loading import import_string

from listening.operations import s3

_CHUNK = 1 << 20
#: A lock that is as old is of a process that was killed; the others are renewed so often.
_STALE = timedelta(hours=1)
_RENEWED = timedelta(minutes=5)


class BackupProblem(Exception):
    """A backup cannot be made, read or restored; the message is for the operator."""


def open_target(address: str, endpoint: str | None) -> Storage:
    """The storage at an address: a folder, or ``s3://BUCKET/PREFIX``.

    Args:
        address: of the target.
        endpoint: URL of an S3-compatible server; None: Amazon's.
    """
    if not address.startswith("s3://"):
        return FileSystemStorage(Path(address).expanduser().resolve(), allow_overwrite=True)
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    if not bucket:
        raise BackupProblem("Write the target as s3://BUCKET or s3://BUCKET/PREFIX.")
    try:
        storage, options = import_string(s3.BACKEND), s3.s3_options(bucket, endpoint)
    except ImportError:
        raise BackupProblem("S3 needs a package: pip install 'earshot[s3]'") from None
    made: Storage = storage(**options, location=prefix, file_overwrite=True)
    return made


def _age() -> Any:
    try:
        import pyrage
    except ImportError:
        raise BackupProblem("Encryption needs a package: pip install 'earshot[backup]'") from None
    return pyrage


def make_key(path: Path) -> str:
    """Make a key of age in a new file that only its owner can read; returns its recipient, to encrypt for."""
    identity = _age().x25519.Identity.generate()
    try:
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        raise BackupProblem(f"{path} exists; a key is never overwritten.") from None
    recipient = str(identity.to_public())
    path.write_text(f"# public key: {recipient}\n{identity}\n")
    return recipient


def read_key(path: Path) -> Any:
    """The identity in a key file, as `make_key` or ``age-keygen`` writes it."""
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise BackupProblem(f"{path} cannot be read: {error.strerror}.") from error
    for line in lines:
        if line.startswith("AGE-SECRET-KEY-"):
            try:
                return _age().x25519.Identity.from_str(line.strip())
            except ValueError:
                break
    raise BackupProblem(f"{path} has no key of age.")


@dataclass
class Vault:
    """Files of backups in a storage, encrypted for `recipients`, readable with `identities`.

    Attributes:
        storage: from `open_target`.
        recipients: public keys of age; none: nothing is encrypted.
        identities: from `read_key`.
    """

    storage: Storage
    recipients: Sequence[str] = ()
    identities: Sequence[Any] = field(default_factory=list)

    def put(self, name: str, content: IO[bytes]) -> None:
        """Store a file, encrypted if there are recipients."""
        if not self.recipients:
            self._save(name, content)
            return
        age = _age()
        try:
            recipients = [age.x25519.Recipient.from_str(each) for each in self.recipients]
        except age.RecipientError as error:
            raise BackupProblem(f"This is not a recipient of age (age1...): {error}") from error
        with tempfile.TemporaryFile() as encrypted:
            age.encrypt_io(content, encrypted, recipients)
            encrypted.seek(0)
            self._save(f"{name}.age", encrypted)

    def _save(self, name: str, content: IO[bytes]) -> None:
        try:
            stored = self.storage.save(name, File(content))
        except OSError as error:  # names the folder that cannot be made, where that is why
            why = str(error.strerror or error).rstrip(".")
            raise BackupProblem(f"{error.filename or name} cannot be written: {why}.") from error
        if stored != name:
            raise BackupProblem(f"{name} could not be stored under its name.")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only one who makes or removes backups in the target, over the block.

        Storages have no locks, so each puts down a file and then looks for those of others: of two that come
        at the same time one sees the other, or both do. Files that nobody has renewed for an hour are of
        processes that were killed, and are removed.

        Raises:
            BackupProblem: another does so now.
        """
        own = uuid4().hex
        self._save(f"locks/{own}", ContentFile(b""))
        ended = Event()
        renewing = Thread(target=self._renew, args=(f"locks/{own}", ended), daemon=True)
        try:
            for other in self.storage.listdir("locks")[1]:
                if other == own:
                    continue
                try:
                    age = timezone.now() - self.storage.get_modified_time(f"locks/{other}")
                except Exception:  # each storage has its own for a file that is gone
                    if self.storage.exists(f"locks/{other}"):
                        raise
                    continue
                if age < _STALE:
                    raise BackupProblem(
                        "Another backup is being made or removed in this target: try again when it has "
                        f"ended. If it was killed, delete locks/{other}, or wait an hour."
                    )
                self.storage.delete(f"locks/{other}")
            renewing.start()
            yield
        finally:
            ended.set()
            if renewing.is_alive():
                renewing.join()  # or it might put the file down again
            self.storage.delete(f"locks/{own}")

    def _renew(self, name: str, ended: Event) -> None:
        while not ended.wait(_RENEWED.total_seconds()):
            with suppress(
                Exception
            ):  # a server that is away comes back; the block tells of one that does not
                self.storage.save(name, ContentFile(b""))

    @contextmanager
    def get(self, name: str, *, is_encrypted: bool) -> Iterator[IO[bytes]]:
        """A stored file as it was before encryption."""
        try:
            stored = self.storage.open(f"{name}.age" if is_encrypted else name)
        except FileNotFoundError:
            raise BackupProblem(f"{name} is missing in the backup.") from None
        with stored:
            if not is_encrypted:
                yield stored
                return
            if not self.identities:
                raise BackupProblem("This backup is encrypted: give its key with --key FILE.")
            age = _age()
            with tempfile.TemporaryFile() as plain:
                try:
                    age.decrypt_io(stored, plain, list(self.identities))
                except (age.DecryptError, OSError) as error:  # OSError: the end is missing or changed
                    raise BackupProblem(f"{name} cannot be decrypted with this key: {error}") from error
                plain.seek(0)
                yield plain


class PackedLines:
    """Lines written to a temporary file, compressed; a context manager that removes it."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  (closed at the end of the context)
        self._packed = gzip.GzipFile(fileobj=self._file, mode="wb", compresslevel=6, mtime=0)

    def write(self, line: str) -> None:
        self._packed.write(line.encode() + b"\n")

    def content(self) -> IO[bytes]:
        """The file, complete, from its beginning; nothing can be written afterwards."""
        self._packed.close()
        self._file.seek(0)
        return self._file

    def __enter__(self) -> PackedLines:
        return self

    def __exit__(self, *_: object) -> None:
        self._packed.close()
        self._file.close()


def read_lines(file: IO[bytes]) -> Iterator[str]:
    """The lines of a compressed file."""
    with gzip.GzipFile(fileobj=file, mode="rb") as packed:
        for line in packed:
            yield line.decode()


def digest_of(file: IO[bytes]) -> tuple[str, int]:
    """SHA-256 and size of a file from where it stands."""
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size
