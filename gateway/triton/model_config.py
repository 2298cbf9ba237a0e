"""`config.pbtxt` with another set of versions, in the form Triton's load takes it.

Source: Triton's model repository extension, load parameter `config`: a model configuration as JSON that
is used instead of the file, for this load.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from google.protobuf import json_format, text_format
from tritonclient.grpc import model_config_pb2


def with_versions(text: str, model: str, versions: Iterable[str]) -> str:
    """Return the configuration as JSON, its version policy naming exactly the given versions.

    Args:
        text: content of `config.pbtxt`.
        model: its name, which the file may leave out.
        versions: decimal integers.

    Raises:
        ValueError: the text is no model configuration, or one of another model.
    """
    message = model_config_pb2.ModelConfig()
    try:
        # Fields newer than this client must reach Triton or fail loudly there; dropping them would not.
        text_format.Parse(text, message)
    except text_format.ParseError as error:
        raise ValueError(f"config.pbtxt cannot be understood: {error}") from error
    if message.name not in ("", model):
        raise ValueError(f"config.pbtxt is that of {message.name!r}")
    message.name = model
    message.version_policy.Clear()
    message.version_policy.specific.versions.extend(sorted(int(version) for version in versions))
    return json.dumps(json_format.MessageToDict(message, preserving_proto_field_name=True))
