"""Downloads: each file is fetched once, checked by its checksum, and kept in a cache folder.

pooch manages the cache and the checksums. The transfer is our own, because it must resume a broken download.
"""

import hashlib
import logging
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlparse

from pipeline.errors import ConfigError, DataError, ToolError
from pipeline.runtime.folders import CACHE_VARIABLE, cache_folder
from pipeline.runtime.progress import bar

if TYPE_CHECKING:
    import requests

log = logging.getLogger(__name__)

TIMEOUT_S = (10.0, 30.0)
"""Time limits for the connection, and for the wait between two pieces of a file."""
ATTEMPTS = 4
"""Attempts at one download before it fails."""
CHUNK_BYTES = 1 << 14
MAX_BYTES = 1 << 33
"""Size of a file, at most; of a list of checksums `MAX_LIST_BYTES`."""
MAX_LIST_BYTES = 1 << 24
SCHEMES = ("https://",)
"""The allowed schemes of an address, also after a redirect."""
LOCAL_COPY = "give a local copy with dataset.path=..."


def fetch(
    url: str, sha256: str | None = None, checksums: str | None = None, cache_dir: Path | None = None
) -> Path:
    """Return the cached copy of a file, after a download where there is none.

    `checksums` is the address, absolute or relative to `url`, of a list in the format of md5sum (UCSC's
    md5sum.txt, NCBI's md5checksums.txt). It is used where no `sha256` is given. The cache is `cache_dir`, or
    the folder that the environment variable names, or the cache folder of the user.

    Raises ToolError where the network or the server fails; the part that has arrived is kept, and the next
    call resumes there. Raises DataError where the file does not exist or its checksum differs.
    """
    from filelock import FileLock  # late: most runs download nothing

    target = _cache_path(url, cache_dir)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Two runs that start together download the file once.
        with FileLock(f"{target}.lock"):
            return _fetch(url, target, sha256, checksums)
    except OSError as error:
        raise ToolError(
            f"{target.parent}: cannot write the download ({error.strerror or error}); "
            f"make room there, or name another folder in {CACHE_VARIABLE}"
        ) from error


def _fetch(url: str, target: Path, sha256: str | None, checksums: str | None) -> Path:
    listing = target.with_name(f"{target.name}.checksums")
    known = f"sha256:{sha256}" if sha256 else None
    if known is None and not checksums:
        raise ConfigError(f"{url}: a download needs a checksum: sha256 or checksums, in dataset.sources")
    if known is None and checksums:
        _retrieve(urljoin(url, checksums), listing, None, MAX_LIST_BYTES)
        known = f"md5:{_listed_md5(listing, PurePosixPath(target.name).name, urljoin(url, checksums))}"
    try:
        return _retrieve(url, target, known)
    except ValueError as error:
        # The list may be older than the file; the next call reads it again.
        listing.unlink(missing_ok=True)
        raise DataError(
            f"{url}: the downloaded file does not have the expected checksum {known}; it was removed. "
            f"Run again; if it persists the file has changed at its source: {LOCAL_COPY}"
        ) from error


def _retrieve(url: str, target: Path, known_hash: str | None, max_bytes: int | None = None) -> Path:
    import pooch  # late: most runs download nothing

    pooch.get_logger().setLevel(logging.WARNING)
    part = target.with_name(f"{target.name}.part")
    if known_hash is None:
        # Without a checksum, nobody would notice two halves of different versions.
        part.unlink(missing_ok=True)

    def download(address: str, temporary: Any, _: Any, *, check_only: bool | None = False) -> None:
        _download(address, part, max_bytes or MAX_BYTES)
        part.replace(temporary)

    downloader: Any = download  # pooch passes its arguments by position, whatever their names
    return Path(pooch.retrieve(url, known_hash, fname=target.name, path=target.parent, downloader=downloader))


def _cache_path(url: str, cache_dir: Path | None) -> Path:
    """Return the path of a file in the cache: its own name, in a folder for its address."""
    name = PurePosixPath(unquote(urlparse(url).path)).name or "download"
    return (cache_dir or cache_folder()) / hashlib.sha256(url.encode()).hexdigest()[:12] / name


def _listed_md5(listing: Path, name: str, url: str) -> str:
    """Return the checksum of a file from lines such as ``<md5>  ./chr4.fa.gz`` or ``<md5> *chr4.fa.gz``."""
    for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
        digest, _, entry = line.strip().partition(" ")
        if PurePosixPath(entry.strip().lstrip("*")).name == name:
            return digest.lower()
    listing.unlink()
    raise DataError(f"{url}: no checksum for {name} in it; {LOCAL_COPY}")


def _session() -> "requests.Session":
    """Open a session that connects by the allowed schemes only, also after a redirect."""
    import requests  # late: most runs download nothing
    from requests.adapters import HTTPAdapter

    session, adapter = requests.Session(), HTTPAdapter()
    session.adapters.clear()
    for scheme in SCHEMES:
        session.mount(scheme, adapter)
    return session


def _download(url: str, part: Path, max_bytes: int) -> None:
    """Complete the partial file `part`."""
    import requests  # late: most runs download nothing

    for attempt in range(1, ATTEMPTS + 1):
        before = _size(part)
        try:
            _transfer(url, part, max_bytes)
            return
        except requests.RequestException as error:
            arrived = _size(part)
            # Another attempt is useless where this one brought nothing.
            if attempt == ATTEMPTS or arrived <= before:
                raise ToolError(_explain(url, error, arrived)) from error
            log.info("%s broke off after %s bytes; resuming", url, f"{arrived:,}")


def _transfer(url: str, part: Path, max_bytes: int) -> None:
    have = _size(part)
    # A transfer with compression could not resume at a byte of the file.
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    with _session() as session, session.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
        if answer.status_code == 416:
            if not answer.headers.get("Content-Range", "").endswith(f"/{have}"):
                # The kept part is longer than the present file.
                part.unlink()
                _transfer(url, part, max_bytes)
            return
        _check_status(url, answer)
        resumes = answer.status_code == 206
        length = answer.headers.get("Content-Length")
        total = int(length) + have * resumes if length else None
        _check_size(url, total or 0, max_bytes)
        arrived = have * resumes
        with part.open("ab" if resumes else "wb") as stream, bar(part.stem, total, "B") as progress:
            progress.update(have * resumes)
            for chunk in answer.iter_content(CHUNK_BYTES):
                arrived += len(chunk)
                _check_size(url, arrived, max_bytes)
                stream.write(chunk)
                progress.update(len(chunk))


def _check_size(url: str, size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise DataError(f"{url}: more than the {max_bytes:,} bytes that are fetched; {LOCAL_COPY}")


def _check_status(url: str, answer: "requests.Response") -> None:
    if answer.status_code in (401, 403, 404, 410):
        raise DataError(
            f"{url}: the server says {answer.status_code} {answer.reason}: the file is not there (any more); "
            f"{LOCAL_COPY}"
        )
    answer.raise_for_status()


def _explain(url: str, error: Exception, arrived: int) -> str:
    import requests

    kept = f" ({arrived:,} bytes are kept; the next run resumes there)" if arrived else ""
    if isinstance(error, requests.ConnectTimeout):
        what = f"no connection within {TIMEOUT_S[0]:g} s"
    elif isinstance(error, requests.Timeout) or "timed out" in str(error):
        what = f"the server stopped answering for {TIMEOUT_S[1]:g} s"
    elif isinstance(error, requests.exceptions.InvalidSchema):
        return f"{url}: it leads to an address that is not https, and is not fetched; {LOCAL_COPY}"
    elif isinstance(error, requests.HTTPError) and error.response is not None:
        what = f"the server failed ({error.response.status_code} {error.response.reason})"
    elif arrived:
        what = "the connection broke"
    else:
        what = "cannot be reached"
    return f"{url}: {what}{kept}; it needs the network once; or {LOCAL_COPY}"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
