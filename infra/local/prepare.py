"""`python -m infra.local.prepare database browser`: has ready what pip cannot install, or says what is missing.

On a developer's machine something missing is a warning, and what needs it is skipped or replaced; where CI=true it is
a failure, since a check that silently did not run is worse than none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Final

from infra.local.dynamodb_local import DynamoDbLocalUnavailable, ensure_jar, find_java

# The fonts give pages the same metrics everywhere; without any, Chromium draws boxes.
_BROWSER_PACKAGES: Final = ("chromium", "fonts-liberation", "fonts-noto-core")


class Missing(Exception):
    """Something cannot be had; the message says what, what it is for and how to get it."""


def prepare_database() -> None:
    """DynamoDB Local's jar and a Java for it. Raises Missing."""
    try:
        find_java()
        ensure_jar()
    except (DynamoDbLocalUnavailable, OSError) as error:
        raise Missing(
            f"DynamoDB Local cannot be had: {error}. Till then runs on moto's imitation, and the tests of storage are "
            "skipped. It comes by npm (package amplify-dynamodb-simulator) and needs the network once."
        ) from error


def prepare_browser() -> None:
    """A Chromium, installed with apt-get where this user may. Raises Missing."""
    if shutil.which("chromium"):
        return
    apt_get = shutil.which("apt-get")
    if apt_get is None or os.geteuid() != 0:
        raise Missing(
            "Chromium is not on the PATH, so browser tests are skipped. Get it with: "
            f"sudo apt-get install {' '.join(_BROWSER_PACKAGES)}"
        )
    print("Installing Chromium and fonts with apt-get", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["install", "-y", "-qq", "--no-install-recommends", *_BROWSER_PACKAGES]
    try:
        for arguments in (["update", "-qq"], install):
            subprocess.run([apt_get, *arguments], check=True, env=environment, stdout=subprocess.DEVNULL)
    except subprocess.CalledProcessError as error:
        raise Missing(f"apt-get could not install Chromium ({error}), so browser tests are skipped.") from error


_STEPS: Final[dict[str, Callable[[], None]]] = {"database": prepare_database, "browser": prepare_browser}


def main(wanted: list[str]) -> int:
    """Prepare what is named; the exit code."""
    missing = 0
    for name in wanted:
        try:
            _STEPS[name]()
        except Missing as lack:
            missing += 1
            print(f"Missing: {lack}", file=sys.stderr, flush=True)
    return 1 if missing and os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
