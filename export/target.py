"""What a target is: how to make its artifact and how to prove it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """One artifact kind, by import paths `module:function` so that listing targets loads no torch.

    Attributes:
        name: as in the spec.
        convert: `(model, job) -> path` of the artifact.
        check: `(path, spec) -> facts for the manifest`; raises `GateError`.
        parity: `(path, model, spec) -> parity rows`; raises `GateError`.
    """

    name: str
    convert: str
    check: str
    parity: str
