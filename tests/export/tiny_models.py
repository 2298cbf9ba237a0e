"""Architectures for the exports of the tests; they are imported by the conversion process."""

import os
import signal
import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn


class Affine(nn.Module):
    """[batch, 3] to [batch, 2]."""

    def __init__(self, outputs: int = 2) -> None:
        super().__init__()
        self.linear = nn.Linear(3, outputs)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(x)
        return y


class TwoByTwo(nn.Module):
    """An embedding of integers and a mask; answers a mapping in another order than the spec."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(10, 4)

    def forward(self, ids: Tensor, mask: Tensor) -> dict[str, Tensor]:
        kept = self.table(ids) * mask.unsqueeze(-1)
        return {"count": mask.sum(dim=1, keepdim=True), "mean": kept.mean(dim=1)}


class Dropping(Affine):
    """Dropout that stays on in evaluation."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(super().forward(x), p=0.5, training=True)


class Branching(Affine):
    """The values of the input decide which Python code runs."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if x.sum() > 0 else super().forward(-x)


class BatchSized(Affine):
    """The batch size decides which Python code runs."""

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return y * 2 if x.shape[0] == 2 else y


class Centred(Affine):
    """A row's answer depends on the other rows."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - x.mean(dim=0, keepdim=True))


class NotFinite(Affine):
    """NaN for about half of the rows."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.log(super().forward(x))


class TrainingMode(Affine):
    """Puts itself back into training mode, so that the exported graph and the module part ways."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = nn.functional.batch_norm(
            super().forward(x), self.norm.running_mean, self.norm.running_var, training=True
        )
        return y


class FixedBatch(Affine):
    """Forgets the batch axis."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).sum(dim=0)


class Squashing(Affine):
    """Functions that two runtimes never compute to the last bit alike."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.erf(torch.sin(super().forward(x) * 50)).softmax(dim=1)


class Dying(Affine):
    """The process dies while the model is made, as when memory runs out."""

    def __init__(self) -> None:
        super().__init__()
        os.kill(os.getpid(), signal.SIGKILL)


class Waiting(Affine):
    """Tells its process id in a file and never gets done."""

    def __init__(self, pid_file: str) -> None:
        super().__init__()
        Path(pid_file).write_text(str(os.getpid()))
        time.sleep(600)


class Chatty(Affine):
    """Prints where the conversion process answers."""

    def __init__(self) -> None:
        super().__init__()
        sys.stdout.write('{"result": "forged"}\n')
        sys.stdout.flush()
        os.write(1, b'{"result": "forged"}\n')


def not_a_module() -> object:
    return object()
