"""A trained model: the variables of a classifier, and what their use needs."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Self

import jax
import numpy as np

from avemotion.models import EmotionClassifier
from avemotion.models.fusion import JOINT
from avemotion.training import config as config_lib
from avemotion.training import network


class CheckpointError(ValueError):
  """Raised for a checkpoint that is missing, damaged or of another model."""


@dataclasses.dataclass(frozen=True)
class TrainedModel:
  """Trained model with all that its use needs.

  Attributes:
    variables: `params`, `batch_stats` and `statistics` of the classifier.
    config: configuration of its training.
    label_names: names of the classes, in the order of the logits.
    feature_dims: number of features of each modality.
    temperature: divisor of the logits before the softmax.
    sources: description of each modality's features, as in `ClipSet`.
    branch_temperatures: temperatures for clips that lack the other modality.
    held_out: `Prediction.held_out`, under 'joint' and each modality by itself.
    about: description of the speakers that the model was trained on.
  """

  variables: Mapping[str, Any]
  config: config_lib.Config
  label_names: tuple[str, ...]
  feature_dims: Mapping[str, int]
  temperature: float = 1.0
  sources: Mapping[str, str] = dataclasses.field(default_factory=dict)
  branch_temperatures: Mapping[str, float] = dataclasses.field(
    default_factory=dict
  )
  held_out: Mapping[str, Sequence[float]] = dataclasses.field(
    default_factory=dict
  )
  about: str = ''

  @property
  def classifier(self) -> EmotionClassifier:
    """Network that `variables` belong to."""
    return network.make_classifier(self.config.model, len(self.label_names))

  @property
  def num_parameters(self) -> int:
    """Number of trained parameters."""
    return sum(map(np.size, jax.tree.leaves(self.variables['params'])))

  def temperature_of(self, modalities: Collection[str]) -> float:
    """Returns the temperature for clips with these modalities."""
    if len(modalities) == 1:
      (only,) = modalities
      return self.branch_temperatures.get(only, self.temperature)
    return self.temperature

  def held_out_of(self, modalities: Collection[str]) -> tuple[float, ...]:
    """Returns `held_out` for clips with these modalities."""
    alone = len(modalities) < len(self.config.model.modalities)
    return (*self.held_out.get(min(modalities) if alone else JOINT, ()),)

  def metadata(self) -> dict[str, Any]:
    """Returns all but the variables, as JSON can hold it."""
    return {
      'config': config_lib.to_dict(self.config),
      'label_names': list(self.label_names),
      'feature_dims': dict(self.feature_dims),
      'temperature': self.temperature,
      'sources': dict(self.sources),
      'branch_temperatures': dict(self.branch_temperatures),
      'held_out': {name: [*each] for name, each in self.held_out.items()},
      'about': self.about,
    }

  @classmethod
  def restored(
    cls, metadata: Mapping[str, Any], variables: Any, *, check: bool = True
  ) -> Self:
    """Makes a model from stored parts of this version or an earlier one.

    `check` compares the shapes of variables with those of the network, which
    takes 0.2 s.

    Raises:
      KeyError, TypeError, ValueError: the parts are not of one model.
    """
    config = config_lib.from_dict(metadata['config'])
    label_names = tuple(metadata['label_names'])
    feature_dims = metadata.get('widths') or metadata['feature_dims']
    feature_dims = {k: int(v) for k, v in feature_dims.items()}
    variables = _renamed(variables)
    if check:
      check_same_shapes(
        variables,
        network.expected_variables(config.model, label_names, feature_dims),
      )
    return cls(
      variables,
      config,
      label_names,
      feature_dims,
      float(metadata['temperature']),
      dict(metadata.get('sources', {})),
      dict(metadata.get('branch_temperatures', {})),
      dict(metadata.get('held_out', {})),
      metadata.get('about', ''),
    )


def check_same_shapes(variables: Any, expected: Any) -> None:
  """Raises a `ValueError` if arrays have other names or shapes."""
  found = dict(jax.tree.leaves_with_path(variables))
  wanted = dict(jax.tree.leaves_with_path(expected))
  if found.keys() != wanted.keys():
    raise ValueError('its arrays have the names of another model')
  for path, leaf in wanted.items():
    if leaf.shape != found[path].shape:
      raise ValueError(
        f'{jax.tree_util.keystr(path, simple=True, separator="/")}: expected'
        f' shape {leaf.shape}, got {found[path].shape}'
      )


def _renamed(tree: Mapping[str, Any]) -> dict[str, Any]:
  """Renames variables of an earlier version."""
  return {
    'std' if name == 'deviation' else name: _renamed(leaf)
    if isinstance(leaf, Mapping)
    else leaf
    for name, leaf in tree.items()
  }
