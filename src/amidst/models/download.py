"""Published ImageNet weights of ResNets and VGG-A: where they are, and fetching them when asked to.

Nothing else in amidst opens a network connection for weights; training only looks into the cache. Each file
name ends in the first hexadecimal digits of the SHA-256 of its content, which is checked.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from amidst.errors import UsageError, WeightsError

logger = logging.getLogger(__name__)

ADDRESS = "https://download.pytorch.org/models/"
WEIGHTS = {  # torchvision's IMAGENET1K_V1: those that published detectors start from
    "resnet18": "resnet18-f37072fd.pth",
    "resnet34": "resnet34-b627a593.pth",
    "resnet50": "resnet50-0676ba61.pth",
    "resnet101": "resnet101-63fe2227.pth",
    "vgg11": "vgg11-8a719046.pth",
}
BLOCK = 1 << 20
TIMEOUT = 30  # seconds without a byte

Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all where the server tells


def default_cache() -> Path:
    """$AMIDST_CACHE, or the user's cache folder."""
    if "AMIDST_CACHE" in os.environ:
        return Path(os.environ["AMIDST_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "amidst"


def cached_weights(name: str, cache_dir: Path | None = None) -> Path:
    """The downloaded file of a backbone; UsageError saying how to get it where it is not there."""
    path = (cache_dir or default_cache()) / _file_name(name)
    if not path.is_file():
        raise UsageError(
            f"ImageNet weights of {name} are not at {path}; fetch them once with "
            f'amidst.models.download.download_weights("{name}"), or put {ADDRESS}{path.name} there'
        )
    return path


def download_weights(
    name: str, cache_dir: Path | None = None, progress: Progress | None = None, address: str = ADDRESS
) -> Path:
    """Fetch the ImageNet weights of a backbone, unless they are there already; returns the file.

    The file appears complete and checked, or not at all. Raises UsageError for an unknown name or an address
    that is not https, WeightsError where the server cannot be reached or sends something else.
    """
    target = (cache_dir or default_cache()) / _file_name(name)
    if target.is_file():
        return target
    if not address.startswith("https://"):
        raise UsageError(f"{address}: expected an https address")
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            digest = _fetch(address + target.name, file, progress)
        wanted = re.findall(r"-([0-9a-f]{8,})\.", target.name)[-1]
        if not digest.startswith(wanted):
            raise WeightsError(f"{address}{target.name}: expected SHA-256 {wanted}..., found {digest[:8]}...")
        Path(temporary).replace(target)
    finally:
        Path(temporary).unlink(missing_ok=True)
    logger.info("downloaded %s", target)
    return target


def _file_name(name: str) -> str:
    if name not in WEIGHTS:
        raise UsageError(f"{name}: no published weights; known are {', '.join(WEIGHTS)}")
    return WEIGHTS[name]


def _fetch(url: str, file: BinaryIO, progress: Progress | None) -> str:
    """Write the content of `url` to `file`; returns its SHA-256."""
    digest, done = hashlib.sha256(), 0
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            if not answer.geturl().startswith("https://"):
                raise WeightsError(f"{url}: the server leads to {answer.geturl()}, expected https")
            length = answer.headers.get("Content-Length")
            total = int(length) if length else None
            while block := answer.read(BLOCK):
                file.write(block)
                digest.update(block)
                done += len(block)
                if progress is not None:
                    progress(done, total)
    except (urllib.error.URLError, TimeoutError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise WeightsError(f"{url}: cannot be downloaded ({reason}); is this machine online?") from None
    return digest.hexdigest()
