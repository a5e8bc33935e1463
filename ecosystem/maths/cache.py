"""Where compiled code is kept; read without loading what compiles."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_folder() -> Path:
    """Return the folder that ``NUMBA_CACHE_DIR`` names, else the package's in the user's cache."""
    return Path(os.environ.get("NUMBA_CACHE_DIR") or user_cache_path("compute-ecosystem"))
