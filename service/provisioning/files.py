"""Files that only their reader may see: written whole or not at all, given to the account that reads them."""

import contextlib
import os
import secrets
from pathlib import Path


def write_private(path: Path, text: str, *, keep_access: bool = False) -> None:
    """Write a file of mode 0600, whole or not at all.

    Parameters
    ----------
    keep_access : an existing file keeps its owner, group and mode, where we may set them.

    Raises
    ------
    OSError
        When the disk refuses it.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    about = path.stat() if keep_access and path.exists() else None
    if about is not None:
        with contextlib.suppress(PermissionError):
            os.chown(draft, about.st_uid, about.st_gid)
        draft.chmod(about.st_mode & 0o777)
    draft.replace(path)


def give(path: Path, *, owner: int | None, group: int | None = None) -> bool:
    """Give a file or directory to an account, and its reading to a group; return False when only root could.

    Parameters
    ----------
    owner : account (uid) that gets the file; None leaves it with who has it.
    group : group (gid) that may read it; None: its owner alone.
    """
    about = path.stat()
    wanted = (about.st_uid if owner is None else owner, about.st_gid if group is None else group)
    given = True
    if wanted != (about.st_uid, about.st_gid):
        try:
            os.chown(path, *wanted)
        except PermissionError:
            given = False
    if path.is_file():
        path.chmod(0o640 if group is not None and given else 0o600)
    return given
