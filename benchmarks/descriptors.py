"""How many files and connections this process, and those it starts, may have open."""

from __future__ import annotations

import resource


def allow(count: int) -> None:
    """Let there be so many; raises OSError or ValueError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def allowed(count: int) -> int:
    """So many, or as many as there may be; that many are allowed then."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = count if hard == resource.RLIM_INFINITY else min(count, hard)
    allow(most)
    return most
