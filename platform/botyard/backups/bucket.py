"""Backups in a bucket that speaks S3: encrypted before they leave, with a key that is not here. See docs/backups.md."""

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Final

from botyard.backups.errors import BackupFailed
from botyard.settings import Settings

ENDING: Final = ".age"
_FOLDER: Final = "backups/"


class Bucket:
    """Where encrypted backups are kept.

    Args:
        settings: which bucket, and for whom they are encrypted.

    Raises:
        BackupFailed: the settings do not say for whom, or name nobody.
    """

    def __init__(self, settings: Settings) -> None:
        from obstore.store import S3Store  # noqa: PLC0415 - heavy, and most processes never need it
        from pyrage import RecipientError, x25519  # type: ignore[import-untyped] # noqa: PLC0415

        url = settings.require("backup_s3_url")
        if settings.backup_recipient is None:
            raise BackupFailed("Set BACKUP_RECIPIENT: nothing leaves this machine unencrypted.")
        try:
            self._recipient = x25519.Recipient.from_str(settings.backup_recipient)
        except RecipientError:
            raise BackupFailed("BACKUP_RECIPIENT is no public key of age: they begin with age1.") from None
        self._store = S3Store(
            settings.require("backup_s3_bucket"), endpoint=url, region=settings.backup_s3_region,
            access_key_id=settings.require("backup_s3_access_key"),
            secret_access_key=settings.require("backup_s3_secret_key"), virtual_hosted_style_request=False,
            client_options={"allow_http": url.startswith("http://"), "connect_timeout": "5s", "timeout": "10min"},
            retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=30)},
        )  # fmt: skip

    def put(self, file: Path) -> str:
        """Encrypt a backup and keep it there; its name.

        Raises:
            BackupFailed: the bucket does not take it.
        """
        from obstore.exceptions import BaseError  # noqa: PLC0415
        from pyrage import encrypt_file  # noqa: PLC0415

        name = f"{_FOLDER}{file.name}{ENDING}"
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            sealed = Path(folder) / "sealed"
            sealed.touch(mode=0o600)
            encrypt_file(str(file), str(sealed), [self._recipient])
            try:
                self._store.put(name, sealed)
            except (BaseError, OSError) as error:
                raise BackupFailed(f"The bucket does not take it: {type(error).__name__}.") from None
        return name

    def get(self, name: str, to: Path) -> None:
        """Fetch one, as it is kept: encrypted.

        Raises:
            BackupFailed: it is not there, or the bucket is away.
        """
        from obstore.exceptions import BaseError  # noqa: PLC0415

        try:
            with to.open("wb") as out:
                for chunk in self._store.get(name).stream():
                    out.write(bytes(chunk))
        except (BaseError, OSError) as error:
            raise BackupFailed(f"The bucket does not give it: {type(error).__name__}.") from None

    def remove(self, name: str) -> None:
        """Forget one; one that is not there is forgotten.

        Raises:
            BackupFailed: the bucket is away.
        """
        from obstore.exceptions import BaseError, NotFoundError  # noqa: PLC0415

        try:
            self._store.delete(name)
        except (NotFoundError, FileNotFoundError):
            return
        except BaseError as error:
            raise BackupFailed(f"The bucket forgets nothing: {type(error).__name__}.") from None


def opened(file: Path, identity: Path, to: Path) -> None:
    """Decrypt a backup of a bucket.

    Args:
        file: as it was fetched.
        identity: the file with the private key, as ``age-keygen`` writes it.
        to: where it goes.

    Raises:
        BackupFailed: the key does not open it.
    """
    from pyrage import DecryptError, IdentityError, decrypt_file, x25519  # noqa: PLC0415

    try:
        lines = identity.read_text(encoding="utf-8").split()
        keys = [x25519.Identity.from_str(line) for line in lines if line.startswith("AGE-SECRET-KEY-")]
        to.touch(mode=0o600)
        decrypt_file(str(file), str(to), keys)
    except (DecryptError, IdentityError, OSError, UnicodeDecodeError) as error:
        raise BackupFailed(f"The key in {identity} does not open it: {type(error).__name__}.") from None
