"""Training of `diabetes`."""

import torch
from torch import Tensor, nn

from samples.diabetes.architecture import DiabetesNet
from samples.diabetes.data import Diabetes, load
from samples.reproducible import reproducible
from samples.sample import Progress, Trained

_BATCH = 32
_LEARNING_RATE = 1e-3
# Learning rate, decay and epochs were chosen by 5-fold cross-validation inside the training rows.
_WEIGHT_DECAY = 1.0


def train(seed: int, epochs: int, progress: Progress) -> Trained:
    """Train on the training rows, score on the held-out rows."""
    rows = load(seed)
    features, target = torch.from_numpy(rows.train_features), torch.from_numpy(rows.train_progression)
    with reproducible(seed) as order:
        model = _normalising_model(features, target)
        optimiser = torch.optim.AdamW(model.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
        normalised = (target - model.target_mean) / model.target_scale
        for epoch in range(epochs):
            for batch in torch.split(torch.randperm(len(features), generator=order), _BATCH):
                optimiser.zero_grad()
                loss: Tensor = nn.functional.mse_loss(model.normalised(features[batch]), normalised[batch])
                torch.autograd.backward(loss)
                optimiser.step()
            progress(epoch + 1, epochs)
        r2, mae = held_out_scores(model, rows)
    return Trained(
        weights=model.state_dict(),
        score_name="r2",
        score=r2,
        metrics={"mean_absolute_error": mae},
        data={
            "source": "sklearn.datasets.load_diabetes(scaled=False)",
            "rows_trained": len(features),
            "rows_held_out": len(rows.held_out_features),
            "split": f"train_test_split(test_size=89, random_state={seed})",
        },
    )


def _normalising_model(features: Tensor, target: Tensor) -> DiabetesNet:
    """A fresh network that knows mean and deviation of the training rows, and of those only."""
    model = DiabetesNet()
    model.feature_mean.copy_(features.mean(dim=0))
    model.feature_scale.copy_(features.std(dim=0))
    model.target_mean.copy_(target.mean(dim=0))
    model.target_scale.copy_(target.std(dim=0))
    return model


def held_out_scores(model: DiabetesNet, rows: Diabetes) -> tuple[float, float]:
    """R² = 1 - SS_res / SS_tot and the mean absolute error, both on the held-out rows."""
    model.eval()
    truth = torch.from_numpy(rows.held_out_progression).double()
    with torch.inference_mode():
        predicted = model(torch.from_numpy(rows.held_out_features)).double()
    residual = (truth - predicted).square().sum()
    total = (truth - truth.mean()).square().sum()
    return float(1 - residual / total), float((truth - predicted).abs().mean())
