"""Training of `digits`."""

import torch
from torch import Tensor, nn

from samples.digits.architecture import DigitsNet
from samples.digits.data import Digits, load
from samples.reproducible import reproducible
from samples.sample import Progress, Trained

_BATCH = 64
_LEARNING_RATE = 2e-3


def train(seed: int, epochs: int, progress: Progress) -> Trained:
    """Train on the training rows, score on the held-out rows."""
    digits = load(seed)
    images, labels = torch.from_numpy(digits.train_images), torch.from_numpy(digits.train_labels)
    with reproducible(seed) as order:
        model = DigitsNet()
        optimiser = torch.optim.Adam(model.parameters(), lr=_LEARNING_RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
        for epoch in range(epochs):
            model.train()
            for rows in torch.split(torch.randperm(len(images), generator=order), _BATCH):
                optimiser.zero_grad()
                loss: Tensor = nn.functional.cross_entropy(model.logits(images[rows]), labels[rows])
                torch.autograd.backward(loss)
                optimiser.step()
            schedule.step()
            progress(epoch + 1, epochs)
        accuracy = held_out_accuracy(model, digits)
    return Trained(
        weights=model.state_dict(),
        score_name="accuracy",
        score=accuracy,
        metrics={},
        data={
            "source": "sklearn.datasets.load_digits",
            "rows_trained": len(images),
            "rows_held_out": len(digits.held_out_images),
            "split": f"train_test_split(test_size=360, stratify=labels, random_state={seed})",
        },
    )


def held_out_accuracy(model: DigitsNet, digits: Digits) -> float:
    """Share of the held-out images whose most probable class is the label."""
    model.eval()
    with torch.inference_mode():
        classes = model(torch.from_numpy(digits.held_out_images)).argmax(dim=1)
    return float((classes == torch.from_numpy(digits.held_out_labels)).double().mean())
