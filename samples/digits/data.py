"""scikit-learn's handwritten digits as the images that `digits` is trained on and asked about.

The data set holds 1,797 images of 8x8 with integer grey values 0 to 16. A client makes the 28x28 image
of the model from one of them with one line of numpy (`as_image`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HELD_OUT = 360


@dataclass(frozen=True)
class Digits:
    """Images FP32 [n, 1, 28, 28] in [0, 1] and labels INT64 [n]; the held-out rows are never trained on."""

    train_images: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    held_out_images: NDArray[np.float32]
    held_out_labels: NDArray[np.int64]


def as_image(grey: NDArray[np.float64]) -> NDArray[np.float32]:
    """One 8x8 image with values 0 to 16 as FP32 [1, 28, 28]: each pixel becomes 3x3, the border of 2 is 0."""
    return np.pad(np.kron(grey / 16.0, np.ones((3, 3))), 2).astype(np.float32)[np.newaxis]


def load(seed: int = 1) -> Digits:
    """Split the data set, stratified by label; the same seed gives the same split."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    images = np.stack([as_image(grey) for grey in bunch.images])
    labels = bunch.target.astype(np.int64)
    train_images, held_out_images, train_labels, held_out_labels = train_test_split(
        images, labels, test_size=HELD_OUT, stratify=labels, random_state=seed
    )
    return Digits(train_images, train_labels, held_out_images, held_out_labels)
