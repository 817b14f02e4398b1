"""What is chosen on validation clips, and on nothing else.

The best epoch of each fold, when a fold stops, and its temperature.
"""

import dataclasses
from typing import Self

import flax.struct
import numpy as np

_SMALLEST = 1e-12  # probability, before its logarithm


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
  """Mean negative log-likelihood of the true labels.

  Args:
    probabilities: float[clips, labels].
    labels: int[clips].

  Returns:
    The mean, in nats.
  """
  likelihood = probabilities[np.arange(len(labels)), labels]
  return float(-np.log(np.maximum(likelihood, _SMALLEST)).mean())


def scale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
  """Softmax of the logits divided by a temperature, from the probabilities.

  Args:
    probabilities: float[..., labels], a softmax.
    temperature: above 0; 1 changes nothing.

  Returns:
    Probabilities float[..., labels].
  """
  logits = np.log(np.maximum(probabilities, _SMALLEST)) / temperature
  powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
  return powers / powers.sum(axis=-1, keepdims=True)


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
  """The temperature of lowest cross-entropy (Guo et al. 2017).

  Args:
    probabilities: float[clips, labels] of validation clips.
    labels: int[clips].

  Returns:
    The temperature, between 0.05 and 20; 1.0 without clips.
  """
  if not labels.size:
    return 1.0
  # Imported here: recognition needs none of it.
  from scipy import optimize

  found = optimize.minimize_scalar(
    lambda power: cross_entropy(scale(probabilities, np.exp(power)), labels),
    bounds=(np.log(0.05), np.log(20)),
    method='bounded',
  )
  return float(np.exp(found.x))


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
    """Takes one more epoch into account.

    Args:
      epoch: its number, from 1.
      losses: float[folds] on validation clips; NaN: the fold has none.
      patience: see `stopped`; a fold that has stopped does not improve.

    Returns:
      The best epochs with this one, and bool[folds]: which folds improved.
    """
    improved = (losses < self.losses) & ~self.stopped(epoch - 1, patience)
    return (
      dataclasses.replace(
        self,
        epochs=np.where(improved, epoch, self.epochs),
        losses=np.where(improved, losses, self.losses),
      ),
      improved,
    )

  def stopped(self, epoch: int, patience: int | None) -> np.ndarray:
    """bool[folds]: folds that are over after an epoch.

    Args:
      epoch: epochs that are done.
      patience: epochs without a lower loss after which a fold is over; None:
        never.

    Returns:
      True where a fold is over.
    """
    if patience is None:
      return np.zeros(self.epochs.shape, bool)
    return epoch - self.epochs >= patience
