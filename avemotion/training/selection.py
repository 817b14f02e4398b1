"""Best epoch and early stop of each fold, by its validation loss."""

from typing import Self

import flax.struct
import numpy as np


@flax.struct.dataclass
class BestEpochs:
  """Each fold's best epoch so far, by the loss on validation clips.

  Attributes:
    epochs: int[folds], from 1; 0: none yet.
    losses: float[folds]; infinity: none yet.
  """

  epochs: np.ndarray
  losses: np.ndarray

  @classmethod
  def none_yet(cls, num_folds: int) -> Self:
    """Makes the value before the first epoch."""
    return cls(np.zeros(num_folds, int), np.full(num_folds, np.inf))

  def after(
    self, epoch: int, losses: np.ndarray, patience: int | None
  ) -> tuple[Self, np.ndarray]:
    """Updates the best epochs with one more epoch, numbered from 1.

    `losses` are float[folds], NaN for a fold without validation clips; a fold
    that has `stopped` does not improve. Returns the new best epochs, and
    bool[folds], true for folds that improved.
    """
    improved = (losses < self.losses) & ~self.stopped(epoch - 1, patience)
    epochs = np.where(improved, epoch, self.epochs)
    return type(self)(epochs, np.where(improved, losses, self.losses)), improved

  def stopped(self, epoch: int, patience: int | None) -> np.ndarray:
    """Returns which folds have stopped after `epoch` epochs, bool[folds].

    A fold stops after `patience` epochs without a lower loss; None: never.
    """
    if patience is None:
      return np.zeros(self.epochs.shape, bool)
    return epoch - self.epochs >= patience
