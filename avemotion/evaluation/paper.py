"""The paper's Tables I, II and III.

Song, Cai, Tan: "Video-Audio Emotion Recognition Based on Feature Fusion Deep
Learning Method".
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from avemotion.emotions import EMOTIONS

# Table III: humans' accuracy on the same clips.
HUMANS = {'audio': 0.62, 'video': 0.72, 'fusion': 0.80}

# Section III-B: one split for single branches, cross-validation for the fusion.
_PROTOCOLS = {'video': 'random80', 'audio': 'random80', 'fusion': 'random10'}
COEFFICIENTS = 13  # MFCC of a frame, section II-C
_DENSE_FEATURES = 256  # units of each branch's dense layer, Figs. 2 and 5
SOURCES = {'video': 'VGG16', 'audio': 'MFCC'}

Branch = tuple[int, int]  # GRU layers, and the units of each


@dataclasses.dataclass(frozen=True)
class Row:
  """Row of one of the paper's tables.

  Attributes:
    table: number of the table.
    video, audio: the branch; None: the model has none.
    batch_norm: whether branches end in batch normalisation.
    accuracy: reported accuracy, a fraction.
  """

  table: int
  video: Branch | None
  audio: Branch | None
  batch_norm: bool
  accuracy: float

  @property
  def modality(self) -> str:
    """Name of the modality: 'video', 'audio', or 'fusion' for both."""
    return modality_of(self.modalities)

  @property
  def modalities(self) -> tuple[str, ...]:
    """Modalities of the model, in the order of its configuration."""
    branches = {'video': self.video, 'audio': self.audio}
    return tuple(name for name, branch in branches.items() if branch)

  @property
  def name(self) -> str:
    """Name for keys and directories, unique in its table: '3x256_no_bn'."""
    branch = self.video or self.audio
    if self.table == 3 or branch is None:
      return self.modality
    norm = 'bn' if self.batch_norm else 'no_bn'
    return f'{branch[0]}x{branch[1]}_{norm}'

  @property
  def protocol(self) -> str:
    """Protocol of the paper's number (section III-B)."""
    return _PROTOCOLS[self.modality]

  @property
  def model(self) -> dict[str, Any]:
    """Configuration of the model, by keys of `ModelConfig`."""
    model: dict[str, Any] = {
      'modalities': self.modalities,
      'dense_features': _DENSE_FEATURES,
      'batch_norm': self.batch_norm,
      'use_bias': False,  # Equations (1) to (4) have none.
    }
    for name in self.modalities:
      layers, units = getattr(self, name)
      model[name] = {'num_layers': layers, 'features': units}
    return model

  def __str__(self) -> str:
    """Formats the row as in the paper's tables: '3 × 256, BN'."""
    return describe_model(self.model)


TABLES = {
  1: (
    Row(1, (1, 256), None, True, 0.78),
    Row(1, (3, 256), None, True, 0.74),
    Row(1, (1, 512), None, False, 0.76),
    Row(1, (1, 512), None, True, 0.79),
    Row(1, (3, 512), None, False, 0.74),
    Row(1, (3, 512), None, True, 0.76),
    Row(1, (1, 1024), None, False, 0.77),
    Row(1, (1, 1024), None, True, 0.78),
  ),
  2: (
    Row(2, None, (1, 256), False, 0.69),
    Row(2, None, (1, 256), True, 0.75),
    Row(2, None, (3, 256), False, 0.75),
    Row(2, None, (3, 256), True, 0.80),
    Row(2, None, (1, 512), True, 0.75),
    Row(2, None, (3, 512), True, 0.79),
  ),
  3: (
    Row(3, None, (3, 256), True, 0.80),
    Row(3, (1, 512), None, True, 0.79),
    Row(3, (1, 512), (3, 256), True, 0.90),
  ),
}


def find_row(model: Mapping[str, Any]) -> Row | None:
  """Finds a model's row in Tables I, II and III, in that order; None: no row.

  `model` is a configuration with at least the keys of `Row.model`, as from
  JSON.
  """

  def holds(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(
      holds(given.get(key, {}), value)
      if isinstance(value, Mapping)
      else given.get(key) == value
      for key, value in wanted.items()
    )

  given = {**model, 'modalities': tuple(model['modalities'])}
  rows = (row for table in TABLES.values() for row in table)
  return next((row for row in rows if holds(given, row.model)), None)


def has_papers_classes(label_names: Sequence[str]) -> bool:
  """Returns whether labels are RAVDESS's emotions, in any order."""
  return set(label_names) == set(EMOTIONS)


def modality_of(modalities: Sequence[str]) -> str:
  """Returns the only modality, or 'fusion' for several."""
  return modalities[0] if len(modalities) == 1 else 'fusion'


def describe_model(model: Mapping[str, Any]) -> str:
  """Describes a model's configuration: '3 × 256, BN' for a single branch.

  Settings that are the same in all models of the paper appear if they differ.
  """
  names = model['modalities']
  parts = [
    f'{f"{name} " if len(names) > 1 else ""}{_describe_layers(model[name])}'
    for name in names
  ]
  parts.append('BN' if model['batch_norm'] else 'no BN')
  if model['dense_features'] != _DENSE_FEATURES:
    parts.append(f'dense {model["dense_features"]}')
  if model['use_bias']:
    parts.append('biases')
  return ', '.join(parts)


def _describe_layers(branch: Mapping[str, Any]) -> str:
  if not branch['num_layers']:
    return 'mean and std, no GRU'
  layers = f'{branch["num_layers"]} × {branch["features"]}'
  return f'{layers} and mean and std' if branch.get('skip') else layers


def class_order(label_names: Sequence[str]) -> tuple[str, ...]:
  """Orders RAVDESS's emotions as RAVDESS does; keeps the order of others.

  The paper's confusion matrices, Figs. 9 to 11, are assumed to have this order.
  """
  return EMOTIONS if has_papers_classes(label_names) else tuple(label_names)
