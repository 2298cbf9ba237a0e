"""config.pbtxt keeps everything but its version policy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from google.protobuf import json_format, text_format
from tritonclient.grpc import model_config_pb2

from gateway.triton.model_config import with_versions
from tests.support.onnx_models import write_two_by_two

ROOT = Path(__file__).parents[3]


def test_everything_but_the_versions_stays(tmp_path: Path) -> None:
    text = (write_two_by_two(tmp_path, max_queue_delay_us=500) / "config.pbtxt").read_text()
    original = text_format.Parse(text, model_config_pb2.ModelConfig())
    original.version_policy.specific.versions.extend([2, 10])
    sent = json_format.Parse(with_versions(text, "two_by_two", ["10", "2"]), model_config_pb2.ModelConfig())
    assert sent == original


def test_field_names_are_those_triton_reads(tmp_path: Path) -> None:
    text = (write_two_by_two(tmp_path) / "config.pbtxt").read_text()
    fields = json.loads(with_versions(text, "two_by_two", ["1"]))
    assert {"max_batch_size", "instance_group", "dynamic_batching", "version_policy"} <= fields.keys()


def test_another_policy_gives_way() -> None:
    text = 'name: "m" version_policy { latest { num_versions: 1 } }'
    assert json.loads(with_versions(text, "m", ["3"]))["version_policy"] == {"specific": {"versions": ["3"]}}


@pytest.mark.parametrize("text", ["name: ", "nonsense { }", 'name: "other"', "max_batch_size: -x"])
def test_what_is_no_config_of_this_model_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"config\.pbtxt"):
        with_versions(text, "m", ["1"])
