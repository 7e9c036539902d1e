"""The memory of a batch, kept for the next one."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # parameters of mallopt, see malloc.h
_MIB = 1 << 20


def keep_freed_memory() -> None:
    """Asks the C library not to give back to the system what a batch frees: the next batch wants as much.

    glibc maps each large block anew by default, and the page faults of a load then cost about as much as reading its
    cells. Where the C library is another one, nothing changes.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    for parameter, size in ((_MMAP_THRESHOLD, 64 * _MIB), (_TRIM_THRESHOLD, 256 * _MIB), (_TOP_PAD, 64 * _MIB)):
        mallopt(parameter, size)
