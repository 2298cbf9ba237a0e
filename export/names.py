"""The grammar of model names and versions; a name that passes is safe as a path component."""

import re

MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\Z")
VERSION = re.compile(r"[1-9][0-9]{0,9}\Z")

# Device names that some file systems and URL layers treat as special whatever their extension.
_RESERVED_STEMS = frozenset({"con", "prn", "aux", "nul"})


def is_model_name(name: str) -> bool:
    """Whether `name` may name a model: 1 to 128 of `A-Za-z0-9_.-`, first a letter or digit."""
    return bool(MODEL_NAME.match(name)) and name.split(".")[0].lower() not in _RESERVED_STEMS


def is_version(text: str) -> bool:
    """Whether `text` is a version directory: a positive integer without leading zeros."""
    return bool(VERSION.match(text))
