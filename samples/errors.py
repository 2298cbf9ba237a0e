"""Errors of the samples.

SampleError
├── UnknownSampleError      no sample of that name
└── MissingDependencyError  torch, scikit-learn or safetensors is not installed
"""


class SampleError(Exception):
    """Base of everything this package raises on purpose."""


class UnknownSampleError(SampleError):
    """No sample has that name."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"there is no sample named {name!r}; choose one of {', '.join(known)}")
        self.name = name


class MissingDependencyError(SampleError):
    """A library that only training needs is not installed."""

    def __init__(self, module: str) -> None:
        super().__init__(f"training needs {module}; install it with: pip install 'tidegate[samples]'")
        self.module = module
