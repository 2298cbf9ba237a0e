"""Seeded random inputs for tracing and for the parity gate."""

import numpy as np
from numpy.typing import NDArray

from export.datatypes import DATATYPES
from export.spec import Input, Spec


def random_inputs(spec: Spec, batch: int, draw: int) -> dict[str, NDArray[np.generic]]:
    """One array [batch, *dims] for every input, the same for the same seed, batch and draw."""
    generator = np.random.default_rng([spec.seed, batch, draw])
    return {tensor.name: _random(generator, tensor, (batch, *tensor.dims)) for tensor in spec.inputs}


def _random(generator: np.random.Generator, tensor: Input, shape: tuple[int, ...]) -> NDArray[np.generic]:
    datatype = DATATYPES[tensor.datatype]
    dtype = np.dtype(datatype.numpy)
    if datatype.kind == "bool":
        return generator.integers(0, 2, shape).astype(dtype)
    if datatype.kind == "integer":
        low, high = tensor.range or (0, 2)
        return generator.integers(int(low), int(high), shape, endpoint=True).astype(dtype)
    if tensor.range is None:
        return generator.standard_normal(shape).astype(dtype)
    return generator.uniform(*tensor.range, shape).astype(dtype)
