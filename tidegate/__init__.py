"""The command line: the only package that knows all the others."""

from importlib.metadata import version

__version__ = version("tidegate")
