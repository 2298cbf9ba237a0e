"""The network behind `diabetes`."""

import torch
from torch import Tensor, nn


class DiabetesNet(nn.Module):
    """10 → 50 → 1 between a normalisation of the features and its inverse on the target.

    Mean and scale are buffers, so they travel in the checkpoint and a client sends raw measurements.
    """

    feature_mean: Tensor
    feature_scale: Tensor
    target_mean: Tensor
    target_scale: Tensor

    def __init__(self, hidden: int = 50) -> None:
        super().__init__()
        self.register_buffer("feature_mean", torch.zeros(10))
        self.register_buffer("feature_scale", torch.ones(10))
        self.register_buffer("target_mean", torch.zeros(1))
        self.register_buffer("target_scale", torch.ones(1))
        self.hidden = nn.Linear(10, hidden)
        self.head = nn.Linear(hidden, 1)

    def normalised(self, features: Tensor) -> Tensor:
        """Raw features [batch, 10] to the normalised target [batch, 1]; what training compares."""
        scaled = (features - self.feature_mean) / self.feature_scale
        progression: Tensor = self.head(torch.relu(self.hidden(scaled)))
        return progression

    def forward(self, features: Tensor) -> Tensor:
        """Raw features [batch, 10] to disease progression [batch, 1] in the units of the data set."""
        return self.normalised(features) * self.target_scale + self.target_mean
