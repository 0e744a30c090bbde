"""Detection of a bgzip file that is truncated between two blocks, which decompressors do not notice.

Source: the SAM specification, section 4.1.2: a BGZF file ends with an empty block, the end-of-file marker.
"""

from pathlib import Path

BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
"""The end-of-file marker."""
_GZIP_WITH_EXTRA = b"\x1f\x8b\x08\x04"
_BLOCK_SIZE_FIELD = b"BC\x02\x00"
"""The extra field that makes a gzip member a block of BGZF, at byte 12 of the file."""


def lacks_end_marker(path: Path) -> bool:
    """Whether a file is BGZF without its end-of-file marker: cut between blocks, or written without one."""
    with path.open("rb") as stream:
        head = stream.read(16)
        if not head.startswith(_GZIP_WITH_EXTRA) or head[12:16] != _BLOCK_SIZE_FIELD:
            return False
        size = stream.seek(0, 2)
        stream.seek(max(0, size - len(BGZF_END)))
        return stream.read() != BGZF_END
