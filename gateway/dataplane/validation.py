"""Checks a request against the contract of the version it is sent to.

Nothing is trusted: names, datatypes, ranks, dims, batch, data length and the inside of BYTES. Python's
integers make the arithmetic checked by themselves; the limits keep it small.
"""

from __future__ import annotations

from math import prod

from gateway.errors import BadRequest
from gateway.types import ITEM_SIZES, InferRequest, ModelSpec, Tensor, TensorSpec, count_elements

MAX_RANK = 16
MAX_DIM = 2**31 - 1
MAX_CLASSIFICATION = 10_000
_BOOLEANS = b"\x00\x01"


class RequestValidator:
    """The checks of one model version, prepared once.

    Args:
        spec: the version's contract.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec
        self._inputs = {tensor.name: tensor for tensor in spec.inputs}
        self._outputs = frozenset(tensor.name for tensor in spec.outputs)
        self._takes = ", ".join(self._inputs)
        self._required = frozenset(tensor.name for tensor in spec.inputs if not tensor.optional)

    def check(self, request: InferRequest) -> None:
        """Return when the request fits.

        Raises:
            BadRequest: it does not; the message names the tensor and what the model takes.
        """
        if self._spec.decoupled:
            raise BadRequest("This model streams its answers. Use a streaming route instead of infer.")
        seen: set[str] = set()
        for tensor in request.inputs:
            expected = self._inputs.get(tensor.name)
            if expected is None:
                raise BadRequest(f"Input {_show(tensor.name)} is unknown. The model takes {self._takes}.")
            if tensor.name in seen:
                raise BadRequest(f"Input {tensor.name} is given twice. Send it once.")
            seen.add(tensor.name)
            self._check_shape(tensor, expected)
            _check_data(tensor)
        if not self._required <= seen:
            missing = ", ".join(sorted(self._required - seen))
            raise BadRequest(f"Missing input {missing}. Send every input that the model's metadata lists.")
        if self._spec.max_batch_size and len({tensor.shape[0] for tensor in request.inputs}) > 1:
            raise BadRequest("The inputs differ in their first dimension. Give all the same batch size.")
        if request.outputs:
            self._check_outputs(request)

    def _check_shape(self, tensor: Tensor, expected: TensorSpec) -> None:
        shape, wanted = tensor.shape, expected.shape
        if tensor.datatype != expected.datatype:
            raise BadRequest(
                f"Input {tensor.name} has datatype {_show(tensor.datatype)}. Send it as {expected.datatype}."
            )
        if len(shape) != len(wanted) or len(shape) > MAX_RANK:
            raise BadRequest(
                f"Input {tensor.name} has {len(shape)} dimensions. "
                f"Send {len(wanted)}: {list(wanted)}, -1 being any."
            )
        for got, want in zip(shape, wanted, strict=True):
            if not 0 <= got <= MAX_DIM or (want >= 0 and got != want):
                raise BadRequest(
                    f"Input {tensor.name} has shape {_show(list(shape))}. Send {list(wanted)}, -1 being any."
                )
        limit = self._spec.max_batch_size
        if limit and not 1 <= shape[0] <= limit:
            raise BadRequest(f"Input {tensor.name} has batch size {shape[0]}. Send 1 to {limit}.")

    def _check_outputs(self, request: InferRequest) -> None:
        seen: set[str] = set()
        for output in request.outputs:
            if output.name not in self._outputs:
                known = ", ".join(sorted(self._outputs))
                raise BadRequest(f"Output {_show(output.name)} is unknown. The model has {known}.")
            if output.name in seen:
                raise BadRequest(f"Output {output.name} is requested twice. Request it once.")
            seen.add(output.name)
            if not 0 <= output.classification <= MAX_CLASSIFICATION:
                raise BadRequest(
                    f"Output {output.name}: classification must be 0 to {MAX_CLASSIFICATION}. Correct it."
                )


def _check_data(tensor: Tensor) -> None:
    elements = prod(tensor.shape)
    if tensor.datatype == "BYTES":
        try:
            count = count_elements(tensor.data)
        except ValueError as error:
            raise BadRequest(
                f"Input {tensor.name}: {error}. "
                "Send each BYTES element as a 4-byte little-endian length, then its bytes."
            ) from None
        if count != elements:
            raise BadRequest(
                f"Input {tensor.name} has {count} elements, its shape {elements}. Make the two agree."
            )
        return
    size = elements * ITEM_SIZES[tensor.datatype]
    if len(tensor.data) != size:
        raise BadRequest(
            f"Input {tensor.name} has {len(tensor.data)} bytes of data, its shape {size}. Make the two agree."
        )
    if tensor.datatype == "BOOL" and bytes(tensor.data).translate(None, _BOOLEANS):
        raise BadRequest(f"Input {tensor.name}: every BOOL element must be 0 or 1. Correct the data.")


def _show(value: object) -> str:
    # What a client sent goes into a message only in a bounded, printable form.
    return ascii(value)[:80]
