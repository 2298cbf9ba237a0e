"""Whatever a client sends, it is never answered with a 5xx, and never with a wrong 200."""

from __future__ import annotations

import copy
import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from tests.gateway.api.conftest import Stack

INFER = "/v2/models/labelled/infer"
JSON = {"Content-Type": "application/json"}
GOOD: dict[str, Any] = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}
TENSOR = np.array([1, 2, 3, 4], np.float32).tobytes()


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, headers=stack.auth, timeout=30) as opened:
        yield opened


def refused(answer: httpx.Response, status: int = 400) -> None:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"error", "code", "request_id"}
    assert body["error"].endswith(".")
    assert body["request_id"] == answer.headers["x-request-id"]


def with_input(**changes: Any) -> dict[str, Any]:
    request = copy.deepcopy(GOOD)
    request["inputs"][0].update(changes)
    return request


def binary(header: dict[str, Any], data: bytes = TENSOR) -> tuple[bytes, dict[str, str]]:
    encoded = json.dumps(header).encode()
    return encoded + data, {"Inference-Header-Content-Length": str(len(encoded))}


def test_the_good_one_is_good(client: httpx.Client) -> None:
    answer = client.post(INFER, json=GOOD)
    assert answer.status_code == 200
    assert answer.json()["outputs"][0]["data"] == [1, 2, 3, 4]


WRONG_TYPES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    "x",
    "",
    [],
    {},
    [[]],
    [None],
    ["x"],
    {"a": 1},
    [1.5],
    [True],
)
ACCEPTED_IN: dict[str, tuple[Any, ...]] = {
    # null and an empty object or list mean "not given", as V2 clients write them
    "id": (None, "x", ""),
    "outputs": (None, []),
    "parameters": (None, {}),
}


@pytest.mark.parametrize("field", ["inputs", "outputs", "parameters", "id"])
@pytest.mark.parametrize("value", WRONG_TYPES, ids=repr)
def test_top_level_fields_of_a_wrong_type(client: httpx.Client, field: str, value: Any) -> None:
    answer = client.post(INFER, json={**GOOD, field: value})
    if any(
        value is good or (type(value) is type(good) and value == good) for good in ACCEPTED_IN.get(field, ())
    ):
        assert answer.status_code == 200, answer.text
    else:
        refused(answer)


@pytest.mark.parametrize("field", ["name", "shape", "datatype", "data", "parameters"])
@pytest.mark.parametrize("value", WRONG_TYPES, ids=repr)
def test_input_fields_of_a_wrong_type(client: httpx.Client, field: str, value: Any) -> None:
    answer = client.post(INFER, json=with_input(**{field: value}))
    if (field == "name" and value == "x") or (field == "parameters" and (value is None or value == {})):
        assert answer.status_code == 200, answer.text
    else:
        refused(answer)


@pytest.mark.parametrize("field", ["name", "shape", "datatype", "data"])
def test_missing_input_fields(client: httpx.Client, field: str) -> None:
    request = copy.deepcopy(GOOD)
    del request["inputs"][0][field]
    refused(client.post(INFER, json=request))


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b"1", b'"x"', b"\xef\xbb\xbf{}", b'{"inputs":[]} x', b"{", b'{"inputs":[}',
     b'{"id":"\xff","inputs":[]}', b'{"id":"\\ud800","inputs":[]}', b"[" * 250_000, b'{"a":' * 100_000,
     b'{"inputs":' + b"[" * 5000 + b"]" * 5000 + b"}"],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_broken_json(client: httpx.Client, body: bytes) -> None:
    refused(client.post(INFER, content=body, headers=JSON))


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e999", "1e39", "9" * 10_000, "01", "1_0", "+1"]
)
def test_numbers_fp32_does_not_have(client: httpx.Client, number: str) -> None:
    body = json.dumps(with_input(data=["@", 2, 3, 4])).replace('"@"', number)
    refused(client.post(INFER, content=body, headers=JSON))


@pytest.mark.parametrize(
    ("datatype", "value"),
    [("INT8", 128), ("INT8", -129), ("UINT8", -1), ("UINT8", 256), ("INT64", 2**63), ("UINT64", 2**64),
     ("INT32", 1.5), ("INT32", 1.0), ("INT32", True), ("INT32", "1"), ("BOOL", 1), ("BOOL", "true"),
     ("FP32", True), ("FP32", "1"), ("FP32", None), ("FP64", 10**400), ("FP16", 1.0), ("BYTES", 1),
     ("BYTES", "\ud800"), ("BYTES", ["a"])],
)  # fmt: skip
def test_values_out_of_the_datatype(client: httpx.Client, datatype: str, value: Any) -> None:
    tensor = {"name": f"in_{datatype}", "shape": [1, 1], "datatype": datatype, "data": [value]}
    body = json.dumps({"inputs": [tensor]}).encode()  # httpx would refuse to write a lone surrogate
    refused(client.post("/v2/models/everything/infer", content=body, headers=JSON))


@pytest.mark.parametrize(
    "shape",
    [[], [4], [1, 4, 1], [1] * 17, [1, 5], [2, 4], [0, 4], [9, 4], [-1, 4], [1, -4], [2**31, 4], [2**62, 4],
     [2**4, 2**60 + 2], [2**32, 2**32], [0, 2**62], [1.5, 4], [True, 4], ["1", 4]],
    ids=str,
)  # fmt: skip
def test_shapes_the_model_does_not_take(client: httpx.Client, shape: list[Any]) -> None:
    refused(client.post(INFER, json=with_input(shape=shape)))
    header = with_input(shape=shape, parameters={"binary_data_size": 16})
    del header["inputs"][0]["data"]
    body, sent = binary(header)
    refused(client.post(INFER, content=body, headers=sent))


@pytest.mark.parametrize(
    "data",
    [[[1, 2], [3, 4]], [[1, 2, 3, 4], [5]], [[[1, 2, 3, 4]]], [[1, 2, 3], 4], [1, [2, 3, 4]], [1, 2, 3]],
)
def test_data_not_nested_as_the_shape(client: httpx.Client, data: list[Any]) -> None:
    refused(client.post(INFER, json=with_input(data=data)))


@pytest.mark.parametrize(
    "name",
    [
        "sequence_id",
        "sequence_start",
        "priority",
        "timeout",
        "headers",
        "triton_enable_empty_final_response",
        "x",
    ],
)
def test_parameters_outside_the_allow_list(client: httpx.Client, name: str) -> None:
    refused(client.post(INFER, json={**GOOD, "parameters": {name: 1}}))
    refused(client.post(INFER, json=with_input(parameters={name: 1})))
    refused(client.post(INFER, json={**GOOD, "outputs": [{"name": "y", "parameters": {name: 1}}]}))


def test_shared_memory_is_refused(client: httpx.Client) -> None:
    parameters = {"shared_memory_region": "r", "shared_memory_byte_size": 16}
    refused(client.post(INFER, json=with_input(parameters=parameters)), 403)
    output = {"name": "y", "parameters": parameters}
    refused(client.post(INFER, json={**GOOD, "outputs": [output]}), 403)


@pytest.mark.parametrize(
    "outputs",
    [[{"name": "nope"}], [{"name": "y"}, {"name": "y"}], [{}], [{"name": ""}],
     *[[{"name": "y", "parameters": {"classification": n}}] for n in (-1, 10_001, 2**70, True, 1.0, "1")],
     *[[{"name": "y", "parameters": {"binary_data": flag}}] for flag in (0, 1, "true", None)]],
    ids=str,
)  # fmt: skip
def test_outputs_that_cannot_be_had(client: httpx.Client, outputs: list[Any]) -> None:
    refused(client.post(INFER, json={**GOOD, "outputs": outputs}))


def test_inputs_missing_twice_or_unknown(client: httpx.Client) -> None:
    tensor = GOOD["inputs"][0]
    refused(client.post(INFER, json={"inputs": []}))
    refused(client.post(INFER, json={"inputs": [tensor, tensor]}))
    refused(client.post(INFER, json={"inputs": [tensor, {**tensor, "name": "z"}]}))
    refused(client.post(INFER, json=with_input(name="z")))
    two = [
        {"name": n, "shape": [b, 4], "datatype": "FP32", "data": [0] * 4 * b} for n, b in (("a", 1), ("b", 2))
    ]
    refused(client.post("/v2/models/two_by_two/infer", json={"inputs": two}))


@pytest.mark.parametrize(
    "value", ["-1", "abc", "+5", "0x10", "99999999999", "4096", "1e2", "", "5 5", "1_0", "٣"]
)
def test_header_lengths_that_are_none(client: httpx.Client, value: str) -> None:
    body, _ = binary(GOOD)
    refused(client.post(INFER, content=body, headers=[(b"Inference-Header-Content-Length", value.encode())]))


def test_two_header_lengths(client: httpx.Client) -> None:
    body, sent = binary(GOOD)
    twice = [*sent.items(), *sent.items()]
    refused(client.post(INFER, content=body, headers=twice))


@pytest.mark.parametrize("size", [-8, "16", 16.0, True, 2**63, 2**64, 0, 15, 17, None, [16]], ids=repr)
def test_binary_sizes_that_do_not_fit(client: httpx.Client, size: Any) -> None:
    header = with_input(parameters={"binary_data_size": size})
    del header["inputs"][0]["data"]
    body, sent = binary(header)
    refused(client.post(INFER, content=body, headers=sent))


def test_binary_sizes_whose_sum_python_does_not_print(client: httpx.Client) -> None:
    # 4300 digits is the longest integer CPython converts, in JSON as in a message.
    header = json.dumps(with_input(parameters={"binary_data_size": 0}))
    one = header.replace('"data": [1, 2, 3, 4], ', "")[len('{"inputs": [') : -len("]}")].replace(
        '"binary_data_size": 0', '"binary_data_size": ' + "9" * 4300
    )
    refused(client.post(INFER, content=f'{{"inputs": [{one}, {one}]}}', headers=JSON))


@pytest.mark.parametrize("data", [b"", TENSOR[:-1], TENSOR + b"\0"])
def test_binary_data_too_short_or_too_long(client: httpx.Client, data: bytes) -> None:
    header = with_input(parameters={"binary_data_size": 16})
    del header["inputs"][0]["data"]
    body, sent = binary(header, data)
    refused(client.post(INFER, content=body, headers=sent))


def test_data_and_binary_size_together(client: httpx.Client) -> None:
    body, sent = binary(with_input(parameters={"binary_data_size": 16}))
    refused(client.post(INFER, content=body, headers=sent))


@pytest.mark.parametrize(
    "data",
    [b"\1", b"\1\0\0", b"\5\0\0\0ab", b"\xff\xff\xff\xff", b"\1\0\0\0a\1\0\0\0b", b""],
)
def test_broken_bytes_elements(client: httpx.Client, data: bytes) -> None:
    tensor = {
        "name": "x",
        "shape": [1, 1],
        "datatype": "BYTES",
        "parameters": {"binary_data_size": len(data)},
    }
    body, sent = binary({"inputs": [tensor]}, data)
    refused(client.post("/v2/models/words/infer", content=body, headers=sent))


def test_booleans_that_are_neither(client: httpx.Client) -> None:
    tensor = {"name": "in_BOOL", "shape": [1, 2], "datatype": "BOOL", "parameters": {"binary_data_size": 2}}
    body, sent = binary({"inputs": [tensor]}, b"\1\2")
    refused(client.post("/v2/models/everything/infer", content=body, headers=sent))


@pytest.mark.parametrize("length", [0, 3, 20])
def test_bare_tensors_that_do_not_fit(client: httpx.Client, length: int) -> None:
    sent = {"Inference-Header-Content-Length": "0"}
    refused(client.post(INFER, content=bytes(length), headers=sent))
    refused(client.post("/v2/models/two_by_two/infer", content=bytes(length), headers=sent))


def test_values_the_model_rejects_are_the_clients_fault_and_told_in_our_words(client: httpx.Client) -> None:
    tensor = {"name": "idx", "shape": [1, 1], "datatype": "INT64", "data": [99]}
    answer = client.post("/v2/models/gather/infer", json={"inputs": [tensor]})
    assert answer.status_code == 400
    assert "onnx" not in answer.text.lower()
    assert "/" not in answer.json()["error"]


@pytest.mark.parametrize(
    "model",
    [
        "nope",
        "..",
        "%2e%2e",
        "%252e",
        "labelled%00",
        "labelled;a=b",
        "Labelled",
        "labelled%2Finfer",
        "a" * 300,
        "%ff",
    ],
)
def test_names_that_are_no_model(client: httpx.Client, model: str) -> None:
    answer = client.post(f"/v2/models/{model}/infer", json=GOOD)
    assert answer.status_code == 404, answer.text
    assert "error" in answer.json()


@pytest.mark.parametrize("version", ["0", "2", "-1", "01", "1.0", "latest", "9" * 40, "%31%30"])
def test_versions_that_are_not_there(client: httpx.Client, version: str) -> None:
    refused(client.post(f"/v2/models/labelled/versions/{version}/infer", json=GOOD), 404)


@pytest.mark.parametrize("coding", ["br", "gzip, deflate", "gzip,gzip", "zstd", "x", ""])
def test_unsupported_codings(client: httpx.Client, coding: str) -> None:
    refused(client.post(INFER, content=b"x", headers={**JSON, "Content-Encoding": coding}), 415)


@pytest.mark.parametrize(
    ("coding", "body"),
    [("gzip", b"garbage"), ("gzip", gzip.compress(b"{}")[:-4]), ("gzip", gzip.compress(b"{}") + b"x"),
     ("deflate", b"garbage"), ("deflate", zlib.compress(b"{}")[:-2]), ("gzip", b"")],
)  # fmt: skip
def test_broken_compressed_bodies(client: httpx.Client, coding: str, body: bytes) -> None:
    refused(client.post(INFER, content=body, headers={**JSON, "Content-Encoding": coding}))


def test_a_bomb_is_cut_at_the_limit(client: httpx.Client) -> None:
    bomb = gzip.compress(bytes(200 << 20))
    assert len(bomb) < 1 << 20
    refused(client.post(INFER, content=bomb, headers={**JSON, "Content-Encoding": "gzip"}), 413)


@pytest.mark.parametrize(
    "media_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/x-python-pickle",
    ],
)
def test_other_media_types(client: httpx.Client, media_type: str) -> None:
    refused(client.post(INFER, content=b"{}", headers={"Content-Type": media_type}), 415)
    refused(
        client.post("/v1/models/labelled:predict", content=b"{}", headers={"Content-Type": media_type}), 415
    )


V1_BODIES: tuple[Any, ...] = (
    None, [], {}, {"instances": []}, {"instances": None}, {"instances": {}}, {"inputs": None}, {"inputs": []},
    {"inputs": 1}, {"instances": [1]}, {"instances": [[1, 2, 3]]}, {"instances": [[1, 2, 3, 4], [1]]},
    {"instances": [[1, 2, 3, "x"]]}, {"instances": [[1, 2, 3, True]]}, {"instances": [[[1, 2, 3, 4]]]},
    {"instances": [{"x": [1, 2, 3, 4]}, {"y": [1, 2, 3, 4]}]}, {"instances": [{"y": [1, 2, 3, 4]}]},
    {"instances": [{"x": [1, 2, 3, 4]}, [1, 2, 3, 4]]}, {"instances": [[1, 2, 3, 4], {"x": [1, 2, 3, 4]}]},
    {"instances": [{}]}, {"instances": [{"b64": "AAAA"}]}, {"instances": [[1, 2, 3, 1e39]]},
    {"instances": [[1, 2, 3, 4]] * 9}, {"instances": [[1, 2, 3, 4]], "inputs": [[1, 2, 3, 4]]},
    {"inputs": {"x": 1}}, {"inputs": {"nope": [[1, 2, 3, 4]]}}, {"inputs": {"x": [[1, 2], [3]]}},
    {"inputs": {"x": {"b64": "x"}}},
)  # fmt: skip


@pytest.mark.parametrize("body", V1_BODIES, ids=lambda body: json.dumps(body)[:60])
def test_v1_bodies_that_do_not_fit(client: httpx.Client, body: Any) -> None:
    refused(client.post("/v1/models/labelled:predict", json=body))


def test_v1_base64_that_is_none(client: httpx.Client) -> None:
    for broken in ("%", "a", 1, None, "Grüße"):
        refused(client.post("/v1/models/words:predict", json={"instances": [{"b64": broken}]}))
