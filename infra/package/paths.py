"""Where the package is made of, and where what can be kept is kept."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
CACHE: Final = ROOT / ".cache" / "package"
OUT: Final = ROOT / "build"

PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
"""The Python that packages is the Python that runs it: compiled modules fit no other."""
RUNTIME: Final = f"python{PYTHON}"
ABI: Final = f"cp{sys.version_info.major}{sys.version_info.minor}"
PLATFORMS: Final = ("manylinux2014_x86_64", "manylinux_2_17_x86_64")
"""What every Lambda image of the last years can load, whatever machine packages."""
