"""The network behind `digits`."""

from torch import Tensor, nn


class DigitsNet(nn.Module):
    """Two convolutions and two linear layers; 28x28 grey values in, ten probabilities out."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, width, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(2 * width * 7 * 7, 64),
            nn.ReLU(),
            nn.Dropout(0.25),
            nn.Linear(64, 10),
        )

    def logits(self, image: Tensor) -> Tensor:
        """Unnormalised scores: [batch, 1, 28, 28] in [0, 1] to [batch, 10]."""
        scores: Tensor = self.classifier(self.features(image))
        return scores

    def forward(self, image: Tensor) -> Tensor:
        """Class probabilities: [batch, 1, 28, 28] in [0, 1] to [batch, 10], rows sum to 1."""
        return self.logits(image).softmax(dim=1)
