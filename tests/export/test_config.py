from typing import Any

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from export.config import config_text
from export.spec import Spec
from tests.export.workshop import AFFINE

# Written down from Triton 2.51.0's schema; the installed tritonclient is newer and would accept more.
KNOWN_TO_2_51_0 = {
    "ModelConfig": {
        "name", "backend", "max_batch_size", "input", "output", "instance_group", "dynamic_batching",
        "parameters", "model_warmup",
    },
    "ModelInput": {"name", "data_type", "dims"},
    "ModelOutput": {"name", "data_type", "dims", "label_filename"},
    "ModelInstanceGroup": {"count"},
    "ModelDynamicBatching": {
        "preferred_batch_size", "max_queue_delay_microseconds", "default_queue_policy",
    },
    "ModelQueuePolicy": {"default_timeout_microseconds", "allow_timeout_override", "max_queue_size"},
    "ModelParameter": {"string_value"},
    "ModelWarmup": {"name", "batch_size", "inputs"},
    "Input": {"data_type", "dims", "zero_data"},
    "ParametersEntry": {"key", "value"},
    "InputsEntry": {"key", "value"},
}  # fmt: skip


def _config(**changes: Any) -> Any:
    text = config_text(Spec.model_validate({**AFFINE, **changes}), {"y": "y.labels.txt"})
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def _used(message: Any, found: dict[str, set[str]]) -> dict[str, set[str]]:
    """Every message type and field set in a message, recursively."""
    for field, value in message.ListFields():
        found.setdefault(message.DESCRIPTOR.name, set()).add(field.name)
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            values = list(value.values())
        else:
            values = list(value) if hasattr(value, "__len__") else [value]
        for inner in values:
            _used(inner, found)
    return found


def test_only_fields_of_the_oldest_supported_triton_are_written() -> None:
    used = _used(_config(batching={"preferred_batch_size": [4, 8], "max_queue_delay_microseconds": 1}), {})
    assert used["ModelDynamicBatching"] == KNOWN_TO_2_51_0["ModelDynamicBatching"]
    for message, fields in used.items():
        assert fields <= KNOWN_TO_2_51_0[message], message


def test_the_config_says_what_the_spec_says() -> None:
    config = _config(
        batching={"max_queue_size": 7, "timeout_microseconds": 5000},
        instances={"count": 3},
        threads={"intra_op_thread_count": 2},
    )
    assert (config.name, config.backend, config.max_batch_size) == ("affine", "onnxruntime", 8)
    assert config.runtime == ""
    assert [(row.name, list(row.dims)) for row in (*config.input, *config.output)] == [("x", [3]), ("y", [2])]
    assert config.output[0].label_filename == "y.labels.txt"
    assert [(group.count, group.kind) for group in config.instance_group] == [(3, 0)]
    policy = config.dynamic_batching.default_queue_policy
    assert (policy.max_queue_size, policy.default_timeout_microseconds, policy.timeout_action) == (7, 5000, 0)
    assert config.parameters["intra_op_thread_count"].string_value == "2"
    assert [warm_up.batch_size for warm_up in config.model_warmup] == [1, 8]


def test_the_queue_is_finite_and_the_batcher_on_by_default() -> None:
    config = _config()
    assert config.HasField("dynamic_batching")
    assert config.dynamic_batching.default_queue_policy.max_queue_size > 0
    assert config.dynamic_batching.default_queue_policy.default_timeout_microseconds > 0


def test_warm_up_can_be_left_out_and_is_not_doubled() -> None:
    assert not _config(warm_up=False).model_warmup
    assert [warm_up.batch_size for warm_up in _config(max_batch_size=1).model_warmup] == [1]
