"""The secrets of one installation, a file each: made once, kept for ever, read by whom they are for."""

from collections.abc import Mapping
from pathlib import Path

from service.provisioning.files import give, write_private
from service.provisioning.hashes import new_secret
from service.provisioning.keys import make_offer_key, make_token_key

PASSWORDS = ("database.password", "broker.password", "console.password", "metrics.token", "grafana.password")
TOKEN_KEY, JWKS, OFFER_KEY = "token.pem", "jwks.json", "offer.key"
FILES = (*PASSWORDS, TOKEN_KEY, JWKS, OFFER_KEY)


def make_secrets(directory: Path, *, owner: int | None = None, readers: Mapping[str, int] | None = None) -> tuple[str, ...]:
    """Make the secrets that are missing in `directory`; return the names of files that could not be given away.

    Parameters
    ----------
    owner : account (uid) that the files belong to, mode 0600; None: ours.
    readers : group (gid) that may read a file besides, by its name (mode 0640).

    Raises
    ------
    ValueError
        When `readers` names a file that is none of ours.
    OSError
        When the directory cannot be written.
    """
    readers = readers or {}
    unknown = sorted(set(readers) - set(FILES))
    if unknown:
        raise ValueError(f"there is no secret {unknown[0]!r}; there are {', '.join(FILES)}")
    directory.mkdir(parents=True, exist_ok=True)
    for name in PASSWORDS:
        if not (directory / name).exists():
            write_private(directory / name, new_secret())
    make_token_key(directory / TOKEN_KEY, directory / JWKS)
    make_offer_key(directory / OFFER_KEY)
    return tuple(name for name in FILES if not give(directory / name, owner=owner, group=readers.get(name)))
