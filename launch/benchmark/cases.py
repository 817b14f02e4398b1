"""Cases to time: the paper's layers and models on clips of RAVDESS's sizes."""

import dataclasses

import numpy as np

from avemotion.training.config import Config

CONFIG = Config()  # Configuration of all contenders.
BATCH = CONFIG.batch_size
STEPS = 4  # training steps in a call; ours runs an epoch in one call
NUM_CLASSES = 8
NUM_FOLDS = 10
# Steps of RAVDESS's longest clip, to which the others are padded, and features.
SHAPES = {'video': (40, 512), 'audio': (122, 13)}


@dataclasses.dataclass(frozen=True)
class Recurrent:
  """Stacked recurrent layers, and `STEPS` batches of inputs.

  Training takes a gradient step on the mean squared state for each batch;
  otherwise all states are computed.
  """

  layers: int
  features: int
  time: int
  inputs: int
  batch: int
  train: bool

  def __str__(self) -> str:
    return (
      f'{self.layers} × {self.features}, {STEPS} batches of {self.batch},'
      f' T = {self.time}, D = {self.inputs},'
      f' {"training" if self.train else "forward"}'
    )

  @property
  def flops(self) -> float:
    """FLOPs of the products of all steps and layers; 3 times in training."""
    widths = [self.inputs] + [self.features] * (self.layers - 1)
    weights = sum(3 * self.features * (w + self.features) for w in widths)
    forward = 2.0 * STEPS * self.time * self.batch * weights
    return 3 * forward if self.train else forward

  def samples(self) -> np.ndarray:
    """Draws inputs float32[batches, time, batch, inputs]."""
    shape = STEPS, self.time, self.batch, self.inputs
    return np.random.default_rng(0).standard_normal(shape, np.float32)


_PAPERS = ((3, 256, 87, 13), (1, 512, 28, 512))
FORWARD = tuple(Recurrent(*sizes, batch=128, train=False) for sizes in _PAPERS)
TRAIN = tuple(Recurrent(*sizes, batch=BATCH, train=True) for sizes in _PAPERS)
# The recurrent layers of the fusion model.
MODEL = tuple(
  Recurrent(layers, features, *SHAPES[modality], batch=BATCH, train=True)
  for modality, layers, features in (('audio', 3, 256), ('video', 1, 512))
)


def clips(
  modalities: tuple[str, ...], number: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
  """Draws float32[clips, time, features] by modality, and int32[clips]."""
  rng = np.random.default_rng(0)
  features = {
    name: rng.standard_normal((number, *SHAPES[name]), np.float32)
    for name in modalities
  }
  return features, np.arange(number, dtype=np.int32) % NUM_CLASSES
