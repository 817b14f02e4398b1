"""The paper's Tables I, II and III, to put beside ours.

Song, Cai, Tan: "Video-Audio Emotion Recognition Based on Feature Fusion Deep
Learning Method".
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from avemotion.emotions import EMOTIONS

# Table III: people's recognition of the same clips.
HUMANS = {'audio': 0.62, 'video': 0.72, 'fusion': 0.80}

# Section III-B: single branches on one split, the fusion by cross-validation.
_PROTOCOLS = {'video': 'random80', 'audio': 'random80', 'fusion': 'random10'}
_COEFFICIENTS = 13  # MFCC of a frame, section II-C
_DENSE_FEATURES = 256  # of each branch, Figs. 2 and 5
_SOURCES = {'video': 'VGG16', 'audio': 'MFCC'}


@dataclasses.dataclass(frozen=True)
class GRULayers:
  """A modality's GRU layers and the units of each."""

  layers: int
  features: int

  def __str__(self) -> str:
    return f'{self.layers} × {self.features}'


@dataclasses.dataclass(frozen=True)
class Row:
  """A row of one of the paper's tables.

  Attributes:
    table: 1, 2 or 3.
    video: the video branch; None: the model has none.
    audio: the audio branch; None: the model has none.
    batch_norm: whether branches end in batch normalisation.
    accuracy: as the paper reports it, a fraction.
    bold: whether it is the table's best.
  """

  table: int
  video: GRULayers | None
  audio: GRULayers | None
  batch_norm: bool
  accuracy: float
  bold: bool = False

  @property
  def modality(self) -> str:
    """'video', 'audio', or both: 'fusion'."""
    return modality_of(self.modalities)

  @property
  def modalities(self) -> tuple[str, ...]:
    """What the model is given, in the order of its configuration."""
    branches = {'video': self.video, 'audio': self.audio}
    return tuple(name for name, branch in branches.items() if branch)

  @property
  def name(self) -> str:
    """For keys and directories, one of a kind in its table: '3x256_no_bn'."""
    branch = self.video or self.audio
    if self.table == 3 or branch is None:
      return self.modality
    norm = 'bn' if self.batch_norm else 'no_bn'
    return f'{branch.layers}x{branch.features}_{norm}'

  @property
  def protocol(self) -> str:
    """What the paper's number was measured under (section III-B)."""
    return _PROTOCOLS[self.modality]

  @property
  def model(self) -> dict[str, Any]:
    """The row as values of a model's configuration, by its keys."""
    values: dict[str, Any] = {'modalities': self.modalities}
    for name in self.modalities:
      branch = getattr(self, name)
      values[name] = {
        'num_layers': branch.layers,
        'features': branch.features,
      }
    return values | {
      'dense_features': _DENSE_FEATURES,
      'batch_norm': self.batch_norm,
      'use_bias': False,  # Equations (1) to (4) have none.
    }

  def __str__(self) -> str:
    """As the paper's tables say it: '3 × 256, BN'."""
    return describe_model(self.model)


def _video_row(
  layers: int, features: int, batch_norm: bool, percent: int, bold: bool = False
) -> Row:
  branch = GRULayers(layers, features)
  return Row(1, branch, None, batch_norm, percent / 100, bold)


def _audio_row(
  layers: int, features: int, batch_norm: bool, percent: int, bold: bool = False
) -> Row:
  branch = GRULayers(layers, features)
  return Row(2, None, branch, batch_norm, percent / 100, bold)


TABLES = {
  1: (
    _video_row(1, 256, True, 78),
    _video_row(3, 256, True, 74),
    _video_row(1, 512, False, 76),
    _video_row(1, 512, True, 79, bold=True),
    _video_row(3, 512, False, 74),
    _video_row(3, 512, True, 76),
    _video_row(1, 1024, False, 77),
    _video_row(1, 1024, True, 78),
  ),
  2: (
    _audio_row(1, 256, False, 69),
    _audio_row(1, 256, True, 75),
    _audio_row(3, 256, False, 75),
    _audio_row(3, 256, True, 80, bold=True),
    _audio_row(1, 512, True, 75),
    _audio_row(3, 512, True, 79),
  ),
  3: (
    Row(3, None, GRULayers(3, 256), True, 0.80),
    Row(3, GRULayers(1, 512), None, True, 0.79),
    Row(3, GRULayers(1, 512), GRULayers(3, 256), True, 0.90, bold=True),
  ),
}


def find_row(model: Mapping[str, Any]) -> Row | None:
  """The row that a model is; the best of Tables I and II before Table III.

  Args:
    model: its configuration, as `Row.model` and more; JSON's lists will do.

  Returns:
    The row; None where the paper has none of this model.
  """
  rows = (row for table in TABLES.values() for row in table)
  return next((row for row in rows if is_row(model, row)), None)


def table_of(models: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
  """The first table that has all of these models; none: no rows."""
  tables = (
    rows
    for rows in TABLES.values()
    if all(any(is_row(model, row) for row in rows) for model in models)
  )
  return next(tables, ())


def is_row(model: Mapping[str, Any], row: Row) -> bool:
  """Whether a model's configuration is that of a row."""
  given = {**model, 'modalities': tuple(model['modalities'])}
  return _holds(given, row.model)


def _holds(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
  return all(
    _holds(given.get(key, {}), value)
    if isinstance(value, Mapping)
    else given.get(key) == value
    for key, value in wanted.items()
  )


def differences(
  row: Row,
  model: Mapping[str, Any],
  sources: Mapping[str, str],
  protocol: str,
  label_names: Sequence[str],
) -> tuple[str, ...]:
  """What must be said where a number stands beside the paper's.

  Args:
    row: the paper's.
    model: configuration of ours.
    sources: what our features are, by modality.
    protocol: ours.
    label_names: ours.

  Returns:
    Of 'other features', 'other protocol' and 'other classes' those that hold.
  """
  features = all(
    sources[name].startswith(_SOURCES[name]) for name in row.modalities
  )
  if 'audio' in row.modalities:
    features &= model['audio'].get('num_inputs') == _COEFFICIENTS
  same = {
    'other features': features,
    'other protocol': protocol == row.protocol,
    'other classes': has_papers_classes(label_names),
  }
  return tuple(words for words, holds in same.items() if not holds)


def has_papers_classes(label_names: Sequence[str]) -> bool:
  """Whether labels are RAVDESS's emotions, in any order."""
  return set(label_names) == set(EMOTIONS)


def modality_of(modalities: Sequence[str]) -> str:
  """The one modality, or 'fusion' of several."""
  return modalities[0] if len(modalities) == 1 else 'fusion'


def describe_model(model: Mapping[str, Any]) -> str:
  """A model's configuration in words: '3 × 256, BN' for a single branch.

  What every model of the paper has alike is said only where it is otherwise.
  """
  branches = {
    name: str(GRULayers(model[name]['num_layers'], model[name]['features']))
    for name in model['modalities']
  }
  if len(branches) > 1:
    parts = [f'{name} {branch}' for name, branch in branches.items()]
  else:
    parts = list(branches.values())
  parts.append('BN' if model['batch_norm'] else 'no BN')
  if model['dense_features'] != _DENSE_FEATURES:
    parts.append(f'dense {model["dense_features"]}')
  if model['use_bias']:
    parts.append('biases')
  return ', '.join(parts)


def class_order(label_names: Sequence[str]) -> tuple[str, ...]:
  """The order of a confusion matrix's rows.

  Args:
    label_names: of a data set.

  Returns:
    RAVDESS's order for RAVDESS's emotions, which is taken for the order of the
    paper's Figs. 9 to 11: those were not at hand. Other labels as they come.
  """
  return EMOTIONS if has_papers_classes(label_names) else tuple(label_names)
