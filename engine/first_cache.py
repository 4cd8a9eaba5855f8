"""What the first format of the cache left on disk, a safetensors file for 32 tensors: nothing reads it any more."""

import contextlib
import re
from pathlib import Path

FOLDERS = ("latents-*", "embeddings-*")
NAME = re.compile(r"[0-9a-f]{32}\.safetensors")  # as only the cache named its files


def remove_first_cache(cache: Path) -> int:
    """Delete its files, in every folder of the cache; returns the bytes freed. A file that cannot go is left."""
    freed = 0
    for pattern in FOLDERS:
        for file in cache.glob(f"{pattern}/*.safetensors"):
            if NAME.fullmatch(file.name):
                with contextlib.suppress(OSError):
                    size = file.stat().st_size
                    file.unlink()
                    freed += size
    return freed
