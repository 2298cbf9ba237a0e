"""scikit-learn's diabetes data in raw units: age in years, sex, BMI, blood pressure, six serum values."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HELD_OUT = 89


@dataclass(frozen=True)
class Diabetes:
    """Raw features FP32 [n, 10] and progression FP32 [n, 1]; the held-out rows are never trained on."""

    train_features: NDArray[np.float32]
    train_progression: NDArray[np.float32]
    held_out_features: NDArray[np.float32]
    held_out_progression: NDArray[np.float32]


def load(seed: int = 1) -> Diabetes:
    """Split the 442 rows; the same seed gives the same split."""
    from sklearn.datasets import load_diabetes
    from sklearn.model_selection import train_test_split

    bunch = load_diabetes(scaled=False)
    train_x, held_out_x, train_y, held_out_y = train_test_split(
        bunch.data.astype(np.float32),
        bunch.target.astype(np.float32)[:, np.newaxis],
        test_size=HELD_OUT,
        random_state=seed,
    )
    return Diabetes(train_x, train_y, held_out_x, held_out_y)
