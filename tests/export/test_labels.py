from pathlib import Path

import pytest

from export.errors import SpecError
from export.labels import labels_file_name, read_labels
from export.spec import Output

OUTPUT = Output(name="y", datatype="FP32", dims=(2,))


def test_the_file_name_follows_the_content(tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    path.write_text("nein\nja\n")
    content = read_labels(path, OUTPUT)
    assert labels_file_name(OUTPUT, content) == labels_file_name(OUTPUT, content)
    assert labels_file_name(OUTPUT, content) != labels_file_name(OUTPUT, b"ja\nnein\n")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"one\n", "1 labels for output y, which has 2 elements"),
        (b"one\n\n", ":2: '' is no label"),
        (b"one\r\ntwo\r\n", r":1: 'one\\r' is no label"),
        (b"one\n\xff\n", "give a UTF-8 text file"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "classes.txt"
    path.write_bytes(content)
    with pytest.raises(SpecError, match=expected):
        read_labels(path, OUTPUT)
