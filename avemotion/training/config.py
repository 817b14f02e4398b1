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
  """A configuration key or value is not what the configuration knows."""


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
  """Refuses values that are not of `_RANGES`, nor of a list: 'a, b or c'."""
  words = re.split(', | or ', expected)
  for name in names:
    value = getattr(config, name)
    value = ','.join(value) if isinstance(value, tuple) else value
    if not _RANGES.get(expected, words.__contains__)(value):
      raise ConfigError(f'{name} must be {expected}, got {value}')


@dataclasses.dataclass(frozen=True)
class DataConfig:
  """What is trained on, and how it is divided.

  Attributes:
    dataset: a TFDS name such as 'ravdess/speech', or a path to an `.npz` of
      features (see `avemotion.data.clips.ClipSet.from_npz`).
    data_dir: where the TFDS data set was prepared; None: TFDS's default (and
      for 'ravdess/bundled' the package).
    protocol: see `avemotion.data.folds.named`.
    validation_share: share of a random protocol's training side that is
      validated on instead, made one part of a whole number (0.1 is a tenth, 0.4
      a half); 0, as in the paper, trains on all of it.
    validation: what becomes of validation clips. 'kept': they stand by, for
      `patience` and the temperature. 'trained': they are trained on, by a
      recipe that chooses nothing. 'scored': they are scored in the place of the
      test clips, which nothing reads: so a recipe is chosen.
    trim_silence: whether sound begins and ends with speech, see
      `avemotion.data.silence`.
    enrol: modalities of which every actor's own mean is taken off: a model for
      speakers who are enrolled, see `avemotion.data.enrolment`.
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
      raise ConfigError('enrol must be of video and audio')


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
      raise ConfigError('num_layers of 0 needs skip')
    _require(self, 'none, or 1 or more', 'num_inputs')
    _require(self, 'none, or above 0', 'doubt')


@dataclasses.dataclass(frozen=True)
class VideoConfig(BranchConfig):
  """The video branch; by default the paper's best, 1 × 512 (Table I)."""

  features: int = 512
  num_layers: int = 1


@dataclasses.dataclass(frozen=True)
class AudioConfig(BranchConfig):
  """The audio branch; by default the paper's best, 3 × 256 on 13 MFCC."""

  features: int = 256
  num_layers: int = 3
  num_inputs: int | None = 13


@dataclasses.dataclass(frozen=True)
class ModelConfig:
  """The network, `avemotion.models.EmotionClassifier`.

  Attributes:
    modalities: the branches that there are, 'video', 'audio' or both.
    video: the video branch, where there is one.
    audio: the audio branch, where there is one.
    pooling: what each branch keeps of its states, see `models.pooling`.
    dense_features: units of each branch's dense layer.
    batch_norm: whether each branch ends in batch normalisation.
    dropout_rate: share of units dropped between layers while training.
    video_weight: how much the video branch counts beside the audio branch.
    modality_dropout: share of a training batch's clips that lose one branch.
    use_bias: whether the GRU's gates have biases; the paper's have none.
    dtype: of the computation, 'float32' or 'bfloat16'.
    recurrence: how the GRU layers loop over time, 'scan', 'fused' or 'pallas',
      see `models.gru.GRU`; 'auto' takes the Pallas kernel where it passes
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
      raise ConfigError(f'pooling must be of {", ".join(POOLINGS)}')
    _require(self, '0 to below 1', 'dropout_rate')
    _require(self, '0 or more', 'video_weight')
    _require(self, '0 to 1', 'modality_dropout')
    _require(self, 'video or audio or video,audio', 'modalities')
    _require(self, 'float32 or bfloat16', 'dtype')
    _require(self, f'{", ".join(IMPLEMENTATIONS)} or auto', 'recurrence')


@dataclasses.dataclass(frozen=True)
class AudioAugmentation:
  """Random changes of what is heard while training; none at 0.

  Attributes:
    exchange: probability that a clip is moved to, or part of the way to,
      another training actor's mean voice.
    warp: most that frequencies of MFCC are scaled by, as a share: another
      vocal tract.
    stretch: most that a clip becomes longer or shorter, as a share.
    max_steps: a random stretch of longer clips is trained on; None: all.
    mask_steps: the longest of two stretches that are overwritten.
    drop_channels: probability that a coefficient is held at its clip's mean.
    noise: std of noise on every number, in stds of its feature.
    offset: std of a clip's constant on every feature, likewise.
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
  """Random changes of what is seen while training; none at 0.

  Attributes:
    exchange: as in `AudioAugmentation`, of faces.
    stretch, mask_steps, noise, offset: as in `AudioAugmentation`.
    mirror: whether landmarks are mirrored, every other time.
    rotation: std of the angle that landmarks are turned by, in radians.
    scale: std of the factors, about 1, that their x and y are scaled by.
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
  """What is done to the clips of a training batch, see `data.augment`.

  Attributes:
    mixup: parameter of the Beta distribution by which clips of a batch, and
      their labels, are mixed (Zhang et al. 2018); 0: they are not.
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
    learning_rate: at the end of the warm-up.
    warmup_epochs: epochs of linear growth from zero.
    weight_decay: decoupled, on matrices only.
    clip_norm: largest global norm of a gradient.
    label_smoothing: share of the target spread evenly over the labels.
    joint_loss: weight of the loss of the branches together. 0: each branch
      learns from its own loss alone.
    branch_loss: weight of the loss of each branch by itself, so that neither
      rests on the other; the paper has none. A single branch has the joint
      loss alone.
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
      raise ConfigError('joint_loss and branch_loss must not both be 0')


@dataclasses.dataclass(frozen=True)
class Config:
  """Everything that decides a run's numbers, less which fold it is.

  Attributes:
    epochs: of every fold, fixed as in the paper; with `patience`, the most.
    patience: epochs without a lower loss on the validation clips after which a
      fold stops; its best epoch's parameters are kept. None: never, and the
      last ones are kept.
    pretrained: `.npz` of `avemotion release`, or 'bundled': its branches are
      what training starts from, see `avemotion.training.pretrained`. None: it
      starts from scratch.
    batch_size: clips of a step; a smaller training side is one batch.
    seed: of initial parameters, order of clips, dropout and random folds.
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
  """Returns what `to_dict` wrote, in this version or an earlier one.

  Raises:
    ConfigError: a key is unknown, as in a checkpoint of a later version.
  """
  return update(Config(), old_config.translated(values))


def update(config: _Dataclass, values: Mapping[str, Any]) -> _Dataclass:
  """Copies a configuration, or a part of it, with some values changed.

  They are by key; `{'audio': {'features': 128}}` changes a part of a part.

  Raises:
    ConfigError: a key is unknown.
  """
  whole: Any = config
  unknown = set(values) - {field.name for field in dataclasses.fields(whole)}
  if unknown:
    names = ', '.join(sorted(unknown))
    raise ConfigError(f'{type(config).__name__} has no {names}')
  changes = {}
  for name, value in values.items():
    if dataclasses.is_dataclass(getattr(config, name)):
      value = update(getattr(config, name), value)
    changes[name] = tuple(value) if isinstance(value, list) else value
  return dataclasses.replace(whole, **changes)
