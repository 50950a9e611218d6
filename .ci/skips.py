"""Fail when a test was skipped for another reason than missing sample data. Usage: skips.py RESULTS.xml..."""

import sys
from xml.etree import ElementTree

ALLOWED = "no sample data"


def main(paths: list[str]) -> int:
    """Print how many tests ran and each skip that is not allowed; return the exit code."""
    cases = [case for path in paths for case in ElementTree.parse(path).iter("testcase")]  # noqa: S314 - our own pytest wrote it
    skips = [
        f"{case.get('classname')}.{case.get('name')}: {skip.get('message')}"
        for case in cases
        for skip in case.findall("skipped")
        if ALLOWED not in (skip.get("message") or "")
    ]
    print(f"{len(cases)} tests in {len(paths)} tiers, {len(skips)} skipped without leave")  # noqa: T201
    for line in skips:
        print(f"  {line}")  # noqa: T201
    return 1 if skips or not cases else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
