"""Bitwise reproducible training: one seed, one thread, deterministic kernels."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def reproducible(seed: int) -> Iterator[torch.Generator]:
    """Fix everything the weights depend on and restore torch's settings afterwards.

    One thread, because the order of a parallel sum depends on how many cores share it.

    Yields:
        A generator for the order of the batches.
    """
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]):
        try:
            torch.set_num_threads(1)
            torch.use_deterministic_algorithms(True)
            torch.manual_seed(seed)
            yield torch.Generator().manual_seed(seed)
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(deterministic)
