"""A model keeps its inputs and outputs over all versions: clients and gateways rely on them."""

from pathlib import Path
from typing import Any

from export.errors import RepositoryError, SignatureConflictError

Rows = list[tuple[str, str, tuple[int, ...]]]


def check_signature(model: str, present: Path, wanted: Path) -> None:
    """Refuse a config whose inputs or outputs differ from the present one's.

    Args:
        model: name of the model, for the message.
        present: the `config.pbtxt` of the model; may be missing.
        wanted: the `config.pbtxt` of the version to be.

    Raises:
        SignatureConflictError: with the first difference.
        RepositoryError: the present config cannot be read.
    """
    if not present.exists():
        return
    old, new = _parse(present), _parse(wanted)
    for kind in ("input", "output"):
        before, after = _rows(getattr(old, kind)), _rows(getattr(new, kind))
        if before != after:
            raise SignatureConflictError(
                f"{model} is published with {kind}s {_words(before)}, this export has {_words(after)}; "
                "a different signature is a different model: change `model:` in the spec"
            )


def _parse(path: Path) -> Any:
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2

    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), model_config_pb2.ModelConfig())
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise RepositoryError(f"cannot read {path}: {error}; correct or remove it") from error


def _rows(tensors: Any) -> Rows:
    return sorted((str(tensor.name), _datatype(tensor), tuple(tensor.dims)) for tensor in tensors)


def _datatype(tensor: Any) -> str:
    field = tensor.DESCRIPTOR.fields_by_name["data_type"]
    return str(field.enum_type.values_by_number[tensor.data_type].name).removeprefix("TYPE_")


def _words(rows: Rows) -> str:
    return ", ".join(f"{name} {datatype} {list(dims)}" for name, datatype, dims in rows)
