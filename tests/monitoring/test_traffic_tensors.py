"""Random tensors fit the metadata, and their binary form is tritonclient's."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
import tritonclient.http
from tritonclient.utils import triton_to_np_dtype

from monitoring.errors import UnsupportedInput
from monitoring.traffic import mix
from monitoring.traffic.mix import Model
from monitoring.traffic.tensors import FORMATS, OPEN_DIMENSION, TensorSpec, make_tensor


@pytest.mark.parametrize("datatype", [*FORMATS, "BYTES"])
def test_binary_data_is_what_tritonclient_sends(datatype: str) -> None:
    tensor = make_tensor(TensorSpec("x", datatype, (-1, 3, -1)), 2, random.Random(1))
    assert tensor.shape == (2, 3, OPEN_DIMENSION)
    reference = tritonclient.http.InferInput("x", list(tensor.shape), datatype)
    values = [v.encode() if isinstance(v, str) else v for v in tensor.values]
    array = np.array(values, dtype=triton_to_np_dtype(datatype)).reshape(tensor.shape)
    reference.set_data_from_numpy(array)
    assert tensor.binary() == reference._get_binary_data()


def test_nested_lists_have_the_tensors_shape() -> None:
    tensor = make_tensor(TensorSpec("x", "INT32", (-1, 3)), 2, random.Random(1))
    assert np.array(tensor.nested()).shape == (2, 3)
    assert np.array(tensor.nested()).ravel().tolist() == tensor.values


def test_a_datatype_without_values_is_refused() -> None:
    with pytest.raises(UnsupportedInput, match="x takes BF16"):
        make_tensor(TensorSpec("x", "BF16", (1,)), 1, random.Random(1))


def test_predict_takes_rows_where_the_model_batches_and_columns_where_not() -> None:
    def body(*inputs: TensorSpec) -> dict[str, object]:
        parsed: dict[str, object] = json.loads(mix.v1_predict(Model("m", inputs), random.Random(1)).content)
        return parsed

    a, b = TensorSpec("a", "FP32", (-1, 2)), TensorSpec("b", "FP32", (-1, 2))
    assert np.array(body(a)["instances"]).ndim == 2
    rows = body(a, b)["instances"]
    assert isinstance(rows, list)
    assert set(rows[0]) == {"a", "b"}
    fixed = body(TensorSpec("a", "FP32", (2, 2)))
    assert isinstance(fixed["inputs"], dict)
    assert np.array(fixed["inputs"]["a"]).shape == (2, 2)


def test_fp16_has_no_json_form_and_goes_binary() -> None:
    model = Model("m", [TensorSpec("x", "FP16", (-1, 2))])
    for build in (mix.v2_json, mix.v1_predict):
        assert "Inference-Header-Content-Length" in build(model, random.Random(1)).headers
