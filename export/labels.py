"""Labels files: one class name per line, in the order of the output's elements."""

import hashlib
import math
from pathlib import Path

from export.errors import SpecError
from export.repository import LABELS_SUFFIX
from export.spec import Output


def read_labels(path: Path, output: Output) -> bytes:
    """The content of a labels file that fits its output.

    Raises:
        SpecError: not UTF-8, an unprintable line, or another number of lines than elements.
    """
    try:
        content = path.read_bytes()
        lines = content.decode("utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: cannot read the labels ({error}); give a UTF-8 text file") from error
    wanted = math.prod(output.dims)
    if len(lines) != wanted:
        raise SpecError(
            f"{path}: {len(lines)} labels for output {output.name}, which has {wanted} elements; "
            "write one label per line"
        )
    for number, line in enumerate(lines, start=1):
        if not line.strip() or not line.isprintable():
            raise SpecError(
                f"{path}:{number}: {line!r} is no label; write one printable name per line "
                "and end lines as Unix does"
            )
    return content


def labels_file_name(output: Output, content: bytes) -> str:
    """Name in the model directory, after the content: versions with other labels never share a file."""
    return f"{output.name}.{hashlib.sha256(content).hexdigest()[:12]}{LABELS_SUFFIX}"
