"""What is timed: the paper's layers and models on clips of RAVDESS's sizes."""

import dataclasses

import numpy as np

BATCH = 32
STEPS = 4  # in a call that trains; ours has an epoch in one call
LEARNING_RATE = 1e-3
NUM_CLASSES = 8
NUM_FOLDS = 10
# Of the longest of RAVDESS's clips, to which the others are padded; the audio
# branch reads the paper's 13 of 40 MFCC.
SHAPES = {'video': (40, 512), 'audio': (122, 13)}
VIDEO_FEATURES, AUDIO_FEATURES, AUDIO_LAYERS, DENSE = 512, 256, 3, 256
DROPOUT_RATE, LABEL_SMOOTHING, WEIGHT_DECAY, CLIP_NORM = 0.3, 0.1, 1e-2, 1.0


@dataclasses.dataclass(frozen=True)
class Recurrent:
  """Stacked recurrent layers and what they read.

  Attributes:
    layers: of them.
    features: units of each.
    time: steps.
    inputs: features of a step.
    batch: sequences; there are `STEPS` batches.
    train: whether gradients of the mean of all squared states are followed, a
      step for each batch; otherwise all states are made.
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
    """Of the products: three matrices of each kind; twice more to train."""
    widths = [self.inputs] + [self.features] * (self.layers - 1)
    weights = sum(3 * self.features * (w + self.features) for w in widths)
    forward = 2.0 * STEPS * self.time * self.batch * weights
    return 3 * forward if self.train else forward

  def samples(self) -> np.ndarray:
    """float32[batches, time, batch, inputs]."""
    rng = np.random.default_rng(0)
    shape = STEPS, self.time, self.batch, self.inputs
    return rng.standard_normal(shape, np.float32)


_PAPERS = ((3, 256, 87, 13), (1, 512, 28, 512))
FORWARD = tuple(Recurrent(*sizes, batch=128, train=False) for sizes in _PAPERS)
TRAIN = tuple(Recurrent(*sizes, batch=BATCH, train=True) for sizes in _PAPERS)


def clips(
  modalities: tuple[str, ...], number: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
  """Made-up float32[clips, time, features], and labels int32[clips]."""
  rng = np.random.default_rng(0)
  features = {
    name: rng.standard_normal((number, *SHAPES[name]), np.float32)
    for name in modalities
  }
  return features, np.arange(number, dtype=np.int32) % NUM_CLASSES


def step_flops(modalities: tuple[str, ...]) -> float:
  """Of the recurrent layers' products in one step of training."""
  layers = {
    'video': (1, VIDEO_FEATURES),
    'audio': (AUDIO_LAYERS, AUDIO_FEATURES),
  }
  return sum(
    Recurrent(*layers[name], *SHAPES[name], BATCH, train=True).flops / STEPS
    for name in modalities
  )
