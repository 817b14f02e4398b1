"""Choice of each fold's best epoch, and of its end, by validation clips."""

from typing import Self

import flax.struct
import numpy as np


@flax.struct.dataclass
class BestEpochs:
  """The best epoch of each fold so far, by the loss on validation clips.

  Attributes:
    epochs: int[folds], from 1; 0: none yet.
    losses: float[folds]; infinite: none yet.
  """

  epochs: np.ndarray
  losses: np.ndarray

  @classmethod
  def none_yet(cls, num_folds: int) -> Self:
    """Before the first epoch."""
    return cls(np.zeros(num_folds, int), np.full(num_folds, np.inf))

  def after(
    self, epoch: int, losses: np.ndarray, patience: int | None
  ) -> tuple[Self, np.ndarray]:
    """Takes one more epoch into account, by its number, from 1.

    Its losses on validation clips are float[folds], NaN for a fold that has
    none; a fold that has `stopped` does not improve. Returns the best epochs
    with this one, and bool[folds]: which folds improved.
    """
    improved = (losses < self.losses) & ~self.stopped(epoch - 1, patience)
    epochs = np.where(improved, epoch, self.epochs)
    return type(self)(epochs, np.where(improved, losses, self.losses)), improved

  def stopped(self, epoch: int, patience: int | None) -> np.ndarray:
    """Tells which folds are over after so many epochs, bool[folds].

    Those that had no lower loss for `patience` epochs; None: none of them.
    """
    if patience is None:
      return np.zeros(self.epochs.shape, bool)
    return epoch - self.epochs >= patience
