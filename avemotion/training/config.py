"""Typed configuration of a run."""

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from avemotion.evaluation import old_config
from avemotion.models.fusion import MODALITIES
from avemotion.models.gru import IMPLEMENTATIONS
from avemotion.models.pooling import POOLINGS

_Dataclass = TypeVar('_Dataclass')


class ConfigError(ValueError):
  """A configuration key or value is not what the configuration knows."""


def _require(holds: bool, key: str, expected: str) -> None:
  if not holds:
    raise ConfigError(f'{key} must be {expected}')


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
    _require(0 <= self.validation_share <= 0.5, 'validation_share', '0 to 0.5')
    _require(
      self.validation in ('kept', 'trained', 'scored'),
      'validation',
      'kept, trained or scored',
    )
    _require(set(self.enrol) <= set(MODALITIES), 'enrol', 'of video and audio')


@dataclasses.dataclass(frozen=True)
class BranchConfig:
  """Attributes of `avemotion.models.VideoBranch` or `AudioBranch`."""

  features: int
  num_layers: int
  num_inputs: int | None = None
  cmn: bool = False
  deltas: bool = False

  def __post_init__(self) -> None:
    for name in ('features', 'num_layers'):
      _require(getattr(self, name) >= 1, name, '1 or more')
    _require(
      self.num_inputs is None or self.num_inputs >= 1,
      'num_inputs',
      'none, or 1 or more',
    )


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
  modality_dropout: float = 0.0
  use_bias: bool = False
  dtype: str = 'float32'
  recurrence: str = 'auto'

  def __post_init__(self) -> None:
    _require(self.dense_features >= 1, 'dense_features', '1 or more')
    _require(
      bool(self.pooling) and set(self.pooling) <= set(POOLINGS),
      'pooling',
      f'of {", ".join(POOLINGS)}',
    )
    _require(0 <= self.dropout_rate < 1, 'dropout_rate', '0 to below 1')
    _require(0 <= self.modality_dropout <= 1, 'modality_dropout', '0 to 1')
    _require(
      self.modalities in (('video',), ('audio',), ('video', 'audio')),
      'modalities',
      'video or audio or video,audio',
    )
    _require(
      self.dtype in ('float32', 'bfloat16'), 'dtype', 'float32 or bfloat16'
    )
    _require(
      self.recurrence in (*IMPLEMENTATIONS, 'auto'),
      'recurrence',
      f'{", ".join(IMPLEMENTATIONS)} or auto',
    )


@dataclasses.dataclass(frozen=True)
class AudioAugmentation:
  """How MFCC are changed at random while training; nothing at 0.

  Attributes:
    warp: most that frequencies are scaled by, as a share: another vocal tract.
    stretch: most that a clip becomes longer or shorter, as a share.
    max_steps: a random stretch of longer clips is trained on; None: all.
    mask_steps: the longest of two stretches that are overwritten.
    drop_channels: probability that a coefficient is held at its clip's mean.
    noise: std of noise on every number, in stds of its feature.
    offset: std of a clip's constant on every feature, likewise.
  """

  warp: float = 0.0
  stretch: float = 0.0
  max_steps: int | None = None
  mask_steps: int = 0
  drop_channels: float = 0.0
  noise: float = 0.0
  offset: float = 0.0

  def __post_init__(self) -> None:
    for name in ('warp', 'stretch', 'drop_channels'):
      _require(0 <= getattr(self, name) < 1, name, '0 to below 1')
    for name in ('mask_steps', 'noise', 'offset'):
      _require(getattr(self, name) >= 0, name, '0 or more')
    _require(
      self.max_steps is None or self.max_steps >= 1,
      'max_steps',
      'none, or 1 or more',
    )


@dataclasses.dataclass(frozen=True)
class VideoAugmentation:
  """How what is seen is changed at random while training; nothing at 0.

  Attributes:
    exchange: probability that a clip is moved to, or part of the way to,
      another training actor's mean face.
    stretch, mask_steps, noise, offset: as in `AudioAugmentation`.
    mirror: whether landmarks are mirrored, every other time.
    rotation: std of the angle that landmarks are turned by, in radians.
    scale: std of the factor that they are scaled by, about 1.
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
    _require(0 <= self.exchange <= 1, 'exchange', '0 to 1')
    _require(0 <= self.stretch < 1, 'stretch', '0 to below 1')
    for name in ('mask_steps', 'noise', 'offset', 'rotation', 'scale'):
      _require(getattr(self, name) >= 0, name, '0 or more')


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
    _require(self.mixup >= 0, 'mixup', '0 or more')


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
  """AdamW with linear warm-up and cosine decay to zero.

  Attributes:
    learning_rate: at the end of the warm-up.
    warmup_epochs: epochs of linear growth from zero.
    weight_decay: decoupled, on matrices only.
    clip_norm: largest global norm of a gradient.
    label_smoothing: share of the target spread evenly over the labels.
    branch_loss: weight of the loss of each branch by itself beside that of
      both, so that neither rests on the other; the paper has none.
  """

  learning_rate: float = 1e-3
  warmup_epochs: float = 2.0
  weight_decay: float = 1e-2
  clip_norm: float = 1.0
  label_smoothing: float = 0.1
  branch_loss: float = 0.0

  def __post_init__(self) -> None:
    _require(0 <= self.label_smoothing < 1, 'label_smoothing', '0 to below 1')
    _require(self.branch_loss >= 0, 'branch_loss', '0 or more')


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
    for name in ('epochs', 'batch_size'):
      _require(getattr(self, name) >= 1, name, '1 or more')
    _require(
      self.patience is None or self.patience >= 1,
      'patience',
      'none, or 1 or more',
    )


def to_dict(config: Config) -> dict[str, Any]:
  """The configuration as nested dictionaries that JSON can hold."""
  return dataclasses.asdict(config)


def from_dict(values: Mapping[str, Any]) -> Config:
  """The configuration that `to_dict` wrote, of this version or an earlier one.

  Raises:
    ConfigError: a key is unknown, as in a checkpoint of a later version.
  """
  return _build(Config, old_config.translated(values))


def update(config: _Dataclass, values: Mapping[str, Any]) -> _Dataclass:
  """A copy of a configuration, or of a part of it, with some values changed.

  Args:
    config: a `Config`, `ModelConfig`, ….
    values: by key; `{'audio': {'features': 128}}` changes a part of a part.

  Returns:
    The changed copy.
  """
  whole: Any = config
  changes = {
    name: update(getattr(config, name), value)
    if isinstance(value, Mapping)
    else value
    for name, value in values.items()
  }
  return dataclasses.replace(whole, **changes)


def _build(kind: type, values: Mapping[str, Any]) -> Any:
  types_ = typing.get_type_hints(kind)
  unknown = set(values) - set(types_)
  if unknown:
    raise ConfigError(f'{kind.__name__} has no {", ".join(sorted(unknown))}')
  made = {}
  for name, value in values.items():
    if dataclasses.is_dataclass(types_[name]):
      value = _build(typing.cast(type, types_[name]), value)
    elif isinstance(value, list):
      value = tuple(value)
    made[name] = value
  return kind(**made)
