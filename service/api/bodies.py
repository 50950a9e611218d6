"""What a request body must be before anybody looks inside: JSON of a bounded size and depth, in text a database can keep."""

import json
from email.message import Message
from typing import NoReturn

from service.api.errors import FieldError, ProblemError

BODY_LIMIT_BYTES = 1 << 20
DEPTH_LIMIT = 32
"""Guess: our bodies nest 4 deep."""


def check_media_type(content_type: str) -> None:
    """Raise ``unsupported_media_type`` unless it is application/json in UTF-8."""
    message = Message()
    message["content-type"] = content_type
    charset = message.get_content_charset("utf-8")
    if message.get_content_type() != "application/json" or charset not in ("utf-8", "utf8", "us-ascii"):
        raise ProblemError("unsupported_media_type", "send the body as application/json in UTF-8")


def check_json(raw: bytes) -> None:
    """Raise ``malformed_json`` for what is not JSON, ``invalid`` for JSON with text that cannot be kept."""
    try:
        document = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    except RecursionError:
        raise ProblemError("malformed_json", f"the body nests deeper than {DEPTH_LIMIT} levels") from None
    except ValueError as error:  # not UTF-8, not JSON, or a number with thousands of digits
        where = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise ProblemError("malformed_json", f"the body cannot be read as JSON{where}") from None
    _check_text(document)


def pointer(*steps: str | int) -> str:
    """Return a JSON pointer as a URI fragment."""
    return "#" + "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _check_text(document: object) -> None:
    # A list instead of recursion: the depth is chosen by the caller.
    ahead: list[tuple[tuple[str | int, ...], object]] = [((), document)]
    while ahead:
        path, value = ahead.pop()
        if len(path) > DEPTH_LIMIT:
            raise ProblemError("malformed_json", f"the body nests deeper than {DEPTH_LIMIT} levels")
        if isinstance(value, str):
            _check_string(path, value)
        elif isinstance(value, dict):
            for name, inner in value.items():
                _check_string(path, name)
                ahead.append(((*path, name), inner))
        elif isinstance(value, list):
            ahead.extend(((*path, index), inner) for index, inner in enumerate(value))


def _check_string(path: tuple[str | int, ...], text: str) -> None:
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        detail = "text may contain neither NUL nor half of a surrogate pair"
        raise ProblemError(
            "invalid", detail, errors=[FieldError(pointer=pointer(*path), code="text_not_storable", detail=detail)]
        )
