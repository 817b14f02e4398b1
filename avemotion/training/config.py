"""Typed configuration of a run."""

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from avemotion.evaluation import old_config
from avemotion.models.fusion import MODALITIES
from avemotion.models.gru import IMPLEMENTATIONS
from avemotion.models.pooling import POOLINGS

_Dataclass = TypeVar('_Dataclass')


class ConfigError(ValueError):
  """Raised for an unknown configuration key, or a value out of its range."""


_RANGES: dict[str, Callable[[Any], bool]] = {
  '1 or more': lambda value: 1 <= value < math.inf,
  'none, or 1 or more': lambda value: value is None or 1 <= value < math.inf,
  '0 or more': lambda value: 0 <= value < math.inf,
  'above 0': lambda value: 0 < value < math.inf,
  'none, or above 0': lambda value: value is None or 0 < value < math.inf,
  '0 to 4294967295': lambda value: 0 <= value < 2**32,
  '0 to below 1': lambda value: 0 <= value < 1,
  '0 to 1': lambda value: 0 <= value <= 1,
  '0 to 0.5': lambda value: 0 <= value <= 0.5,
}


def _require(config: Any, expected: str, *names: str) -> None:
  """Refuses values outside `expected`: a key of `_RANGES`, or 'a, b or c'."""
  words = re.split(', | or ', expected)
  for name in names:
    value = getattr(config, name)
    value = ','.join(value) if isinstance(value, tuple) else value
    if not _RANGES.get(expected, words.__contains__)(value):
      raise ConfigError(f'{name} must be {expected}, got {value}')


@dataclasses.dataclass(frozen=True)
class DataConfig:
  """Data set, and its division into training, validation and test clips.

  Attributes:
    dataset: a TFDS name such as 'ravdess/speech', or a path to an `.npz` of
      features (see `avemotion.data.clips.ClipSet.from_npz`).
    data_dir: directory of the prepared TFDS data set; None: TFDS's default (for
      'ravdess/bundled' the package).
    protocol: see `avemotion.data.folds.named`.
    validation_share: share of a random protocol's training clips to validate
      on, rounded to 1 / N (0.1 is a tenth, 0.4 a half); 0, as in the paper:
      none.
    validation: use of the validation clips. 'kept': for `patience` and the
      temperature. 'trained': train on them too. 'scored': score them instead of
      the test clips, to choose a recipe.
    trim_silence: cut silence before and after speech, see
      `avemotion.data.silence`.
    enrol: modalities from which each actor's own mean is subtracted, for
      enrolled speakers, see `avemotion.data.enrolment`.
  """

  dataset: str = 'ravdess/speech'
  data_dir: str | None = None
  protocol: str = 'random10'
  validation_share: float = 0.0
  validation: str = 'kept'
  trim_silence: bool = False
  enrol: tuple[str, ...] = ()

  def __post_init__(self) -> None:
    _require(self, '0 to 0.5', 'validation_share')
    _require(self, 'kept, trained or scored', 'validation')
    if not set(self.enrol) <= set(MODALITIES):
      raise ConfigError(
        f'enrol must be video, audio or both, got {",".join(self.enrol)}'
      )


@dataclasses.dataclass(frozen=True)
class BranchConfig:
  """Attributes of `avemotion.models.VideoBranch` or `AudioBranch`."""

  features: int
  num_layers: int
  num_inputs: int | None = None
  cmn: bool = False
  deltas: bool = False
  skip: bool = False
  doubt: float | None = None

  def __post_init__(self) -> None:
    _require(self, '1 or more', 'features')
    _require(self, '0 or more', 'num_layers')
    if not (self.skip or self.num_layers):
      raise ConfigError('num_layers must be 1 or more without skip, got 0')
    _require(self, 'none, or 1 or more', 'num_inputs')
    _require(self, 'none, or above 0', 'doubt')


@dataclasses.dataclass(frozen=True)
class VideoConfig(BranchConfig):
  """Video branch; by default the paper's best, 1 × 512 (Table I)."""

  features: int = 512
  num_layers: int = 1


@dataclasses.dataclass(frozen=True)
class AudioConfig(BranchConfig):
  """Audio branch; by default the paper's best, 3 × 256 on 13 MFCC."""

  features: int = 256
  num_layers: int = 3
  num_inputs: int | None = 13


@dataclasses.dataclass(frozen=True)
class ModelConfig:
  """Network, `avemotion.models.EmotionClassifier`.

  Attributes:
    modalities: names of the branches, 'video', 'audio' or both.
    video: video branch, if it is among `modalities`.
    audio: audio branch, if it is among `modalities`.
    pooling: kinds of pooling over each branch's states, see `models.pooling`.
    dense_features: units of each branch's dense layer.
    batch_norm: end each branch in batch normalisation.
    dropout_rate: share of units dropped between layers in training.
    video_weight: factor of the video branch's vector; audio's is 1.
    modality_dropout: share of a training batch's clips that lose one branch.
    use_bias: give the GRU's gates biases; the paper's have none.
    dtype: dtype of the computation, 'float32' or 'bfloat16'.
    recurrence: loop of the GRU layers, 'scan', 'fused' or 'pallas', see
      `models.gru.GRU`; 'auto' is the Pallas kernel where it passes
      `training.kernel_check`, else 'fused'.
  """

  modalities: tuple[str, ...] = MODALITIES
  video: VideoConfig = VideoConfig()
  audio: AudioConfig = AudioConfig()
  pooling: tuple[str, ...] = ('last',)
  dense_features: int = 256
  batch_norm: bool = True
  dropout_rate: float = 0.3
  video_weight: float = 1.0
  modality_dropout: float = 0.0
  use_bias: bool = False
  dtype: str = 'float32'
  recurrence: str = 'auto'

  def __post_init__(self) -> None:
    _require(self, '1 or more', 'dense_features')
    if not self.pooling or not set(self.pooling) <= set(POOLINGS):
      raise ConfigError(
        f'pooling must be one or more of {", ".join(POOLINGS)}, got'
        f' {",".join(self.pooling)}'
      )
    _require(self, '0 to below 1', 'dropout_rate')
    _require(self, '0 or more', 'video_weight')
    _require(self, '0 to 1', 'modality_dropout')
    _require(self, 'video or audio or video,audio', 'modalities')
    _require(self, 'float32 or bfloat16', 'dtype')
    _require(self, f'{", ".join(IMPLEMENTATIONS)} or auto', 'recurrence')


@dataclasses.dataclass(frozen=True)
class AudioAugmentation:
  """Random changes of sound in training; none at 0.

  Attributes:
    exchange: probability that a clip's mean moves all or part of the way to
      another training actor's.
    warp: largest relative change of the frequencies of MFCC, as by another
      vocal tract.
    stretch: largest relative change of a clip's length.
    max_steps: train on a random part of this many steps of longer clips; None:
      all.
    mask_steps: largest length of each of two parts that are overwritten.
    drop_channels: probability that a coefficient is set to its clip's mean.
    noise: standard deviation of noise on every number, in standard deviations
      of its feature.
    offset: standard deviation of a constant on every feature of a clip,
      likewise.
  """

  exchange: float = 0.0
  warp: float = 0.0
  stretch: float = 0.0
  max_steps: int | None = None
  mask_steps: int = 0
  drop_channels: float = 0.0
  noise: float = 0.0
  offset: float = 0.0

  def __post_init__(self) -> None:
    _require(self, '0 to 1', 'exchange')
    _require(self, '0 to below 1', 'warp', 'stretch', 'drop_channels')
    _require(self, '0 or more', 'mask_steps', 'noise', 'offset')
    _require(self, 'none, or 1 or more', 'max_steps')


@dataclasses.dataclass(frozen=True)
class VideoAugmentation:
  """Random changes of video in training; none at 0.

  Attributes:
    exchange, stretch, mask_steps, noise, offset: as in `AudioAugmentation`.
    mirror: mirror landmarks with probability one half.
    rotation: standard deviation of the landmarks' rotation, in radians.
    scale: standard deviation of the factors of their x and y, around 1.
  """

  exchange: float = 0.0
  stretch: float = 0.0
  mask_steps: int = 0
  noise: float = 0.0
  offset: float = 0.0
  mirror: bool = False
  rotation: float = 0.0
  scale: float = 0.0

  def __post_init__(self) -> None:
    _require(self, '0 to 1', 'exchange')
    _require(self, '0 to below 1', 'stretch')
    names = 'mask_steps', 'noise', 'offset', 'rotation', 'scale'
    _require(self, '0 or more', *names)


@dataclasses.dataclass(frozen=True)
class AugmentConfig:
  """Augmentation of a training batch, see `data.augment`.

  Attributes:
    audio: changes of sound.
    video: changes of video.
    mixup: parameter of the Beta distribution of the weights with which clips of
      a batch, and their labels, are mixed (Zhang et al. 2018); 0: no mixing.
  """

  audio: AudioAugmentation = AudioAugmentation()
  video: VideoAugmentation = VideoAugmentation()
  mixup: float = 0.0

  def __post_init__(self) -> None:
    _require(self, '0 or more', 'mixup')


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
  """AdamW with linear warm-up and cosine decay to zero.

  Attributes:
    learning_rate: learning rate at the end of the warm-up.
    warmup_epochs: epochs of linear growth from zero.
    weight_decay: decoupled weight decay, on matrices only.
    clip_norm: largest global norm of a gradient.
    label_smoothing: share of the target spread evenly over the labels.
    joint_loss: weight of the loss of both branches together; 0: each branch
      trains on its own loss only.
    branch_loss: weight of the loss of each branch by itself; the paper has
      none. A single branch has the joint loss only.
  """

  learning_rate: float = 1e-3
  warmup_epochs: float = 2.0
  weight_decay: float = 1e-2
  clip_norm: float = 1.0
  label_smoothing: float = 0.1
  joint_loss: float = 1.0
  branch_loss: float = 0.0

  def __post_init__(self) -> None:
    _require(self, 'above 0', 'learning_rate', 'clip_norm')
    _require(self, '0 or more', 'warmup_epochs', 'weight_decay')
    _require(self, '0 to below 1', 'label_smoothing')
    _require(self, '0 or more', 'joint_loss', 'branch_loss')
    if not self.joint_loss + self.branch_loss:
      raise ConfigError('joint_loss or branch_loss must be above 0, got 0, 0')


@dataclasses.dataclass(frozen=True)
class Config:
  """Configuration of a run; with a fold's number, it determines the result.

  Attributes:
    data: data set, and its division.
    model: network.
    augment: random changes of training clips.
    optimizer: optimiser and loss.
    epochs: number of epochs, fixed as in the paper; with `patience`, the most.
    patience: epochs without a lower validation loss after which a fold stops
      and keeps its best epoch's parameters. None: train all epochs, and keep
      the last parameters.
    pretrained: `.npz` of `avemotion release`, or 'bundled', whose branches
      training starts from, see `avemotion.training.pretrained`. None: start
      from random parameters.
    batch_size: clips of a step; fewer training clips form one batch.
    seed: seed of initial parameters, order of clips, dropout and random folds.
  """

  data: DataConfig = DataConfig()
  model: ModelConfig = ModelConfig()
  augment: AugmentConfig = AugmentConfig()
  optimizer: OptimizerConfig = OptimizerConfig()
  epochs: int = 40
  patience: int | None = None
  pretrained: str | None = None
  batch_size: int = 32
  seed: int = 0

  def __post_init__(self) -> None:
    _require(self, '1 or more', 'epochs', 'batch_size')
    _require(self, 'none, or 1 or more', 'patience')
    _require(self, '0 to 4294967295', 'seed')


def to_dict(config: Config) -> dict[str, Any]:
  """Returns a configuration as nested dictionaries that JSON can hold."""
  return dataclasses.asdict(config)


def from_dict(values: Mapping[str, Any]) -> Config:
  """Returns the configuration that `to_dict` of any earlier version wrote.

  Raises:
    ConfigError: a key is unknown, as in a checkpoint of a later version, or
      `values` is no mapping.
  """
  if not isinstance(values, Mapping):
    raise ConfigError(f'expected settings by name, got {values!r:.80}')
  return update(Config(), old_config.translated(values))


def update(config: _Dataclass, values: Mapping[str, Any]) -> _Dataclass:
  """Copies a configuration, or a part of it, with values changed by key.

  `{'audio': {'features': 128}}` changes a nested value.

  Raises:
    ConfigError: a key is unknown.
  """
  whole: Any = config
  unknown = set(values) - {field.name for field in dataclasses.fields(whole)}
  if unknown:
    names = ', '.join(sorted(unknown))
    raise ConfigError(
      f'{type(config).__name__} has no {names}, only'
      f' {", ".join(field.name for field in dataclasses.fields(whole))}'
    )
  changes = {}
  for name, value in values.items():
    if dataclasses.is_dataclass(getattr(config, name)):
      value = update(getattr(config, name), value)
    changes[name] = tuple(value) if isinstance(value, list) else value
  return dataclasses.replace(whole, **changes)
