"""Worker threads that wait for work from run to run: starting them anew would take longer than a short run."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache


@cache
def workers(count: int) -> ThreadPoolExecutor:
    """A pool of `count` threads, the same for every run that asks for as many."""
    return ThreadPoolExecutor(count, thread_name_prefix="hwblocks")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=workers.cache_clear)  # threads do not survive a fork
