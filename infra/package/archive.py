"""A zip whose bytes follow from its content alone, so that an unchanged package is not deployed again."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The oldest time that a zip can say."""


def unpack(archive: Path, tree: Path) -> None:
    """Unpack what Chalice packed."""
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(tree)


def pack(tree: Path, archive: Path) -> None:
    """Pack every file under `tree`, in order of its name, with one time for all."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for path in sorted(each for each in tree.rglob("*") if each.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(tree).as_posix(), _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            # Lambda runs as another user than who unpacked, who must be able to read all.
            entry.external_attr = (0o100755 if path.suffix == ".so" else 0o100644) << 16
            entry.create_system = 3
            packed.writestr(entry, path.read_bytes(), compresslevel=9)
