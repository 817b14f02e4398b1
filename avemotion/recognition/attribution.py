"""What each time step of a clip adds to what is recognised.

Integrated gradients (Sundararajan, Taly & Yan 2017): along the straight line
from a baseline, a clip that says nothing, to the clip itself, each feature's
gradient is summed up. Times the way that the feature went it is what the
feature adds, and all of them add up to what the clip adds to the baseline.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from avemotion.data import clips as clips_lib
from avemotion.models import EmotionClassifier
from avemotion.training.checkpoints import TrainedModel
from avemotion.training.logs import log

# Sequences are padded to multiples, so that clips of like lengths share a
# compiled program.
_STEP_MULTIPLE = 32
_POINTS_AT_ONCE = 16  # of the line; more take memory and are hardly faster
# In all; more where fewer do not add up, as the answer jumps on the way to some
# clips that are unlike those that were trained on.
_POINTS = (64, 128, 256, 512)
_TOLERANCE = 0.02  # nats, and share of all nats, that may be missing


def attribute(
  model: TrainedModel, inputs: Mapping[str, np.ndarray], label: int
) -> dict[str, np.ndarray]:
  """What each time step adds to a label, beside a clip that says nothing.

  It is the logarithm of the probability that is divided up, not the logit: a
  logit also moves by what moves those of all labels alike, which the softmax
  takes out again and which carries no decision.

  A clip that says nothing stands at the training clips' mean all the time. A
  branch that takes off each clip's own mean cannot know at what level a clip
  stands: there it is the clip's mean. Any constant would answer alike, but only
  from this one is a step that the branch reads as zero given nothing.

  Args:
    model: what recognised the clip.
    inputs: for each of its modalities float32[time, features] as the model
      reads them, less an enrolled speaker's mean; no rows: it is missing.
    label: index of what is explained, most often what was recognised.

  Returns:
    For each modality that is not missing float32[time], nats; they sum up to
    the logarithm of the label's probability, at the model's temperature, less
    the baseline's. Where they do so badly, a warning is logged.

  Raises:
    ValueError: a modality or the label is none of the model's, there are no
      rows at all, or not as wide as the model reads.
  """
  _check(model, inputs, label)
  lengths = {name: len(inputs[name]) for name in model.feature_dims}
  at = functools.partial(
    _along,
    model.classifier,
    model.variables,
    {name: _padded(inputs[name]) for name in lengths},
    {name: _padded(baseline(model, name, inputs[name])) for name in lengths},
    {name: np.array([length], np.int32) for name, length in lengths.items()},
    label,
    model.temperature,
  )
  ends, _ = at(np.linspace(0, 1, _POINTS_AT_ONCE, dtype=np.float32))
  added = float(ends[-1] - ends[0])
  for number in _POINTS:
    attributions = _integrate(at, number)
    found = sum(float(values.sum()) for values in attributions.values())
    if np.isclose(found, added, rtol=_TOLERANCE, atol=_TOLERANCE):
      break
  else:
    log.warning(
      'the explanation adds up to %.2f nats of %.2f: the answer jumps on the'
      ' way to the clip',
      found,
      added,
    )
  return {
    name: attributions[name][:size] for name, size in lengths.items() if size
  }


def baseline(
  model: TrainedModel, modality: str, rows: np.ndarray
) -> np.ndarray:
  """A clip of the same length that says nothing, see `attribute`.

  Args:
    model: what is explained.
    modality: one of its modalities.
    rows: float32[time, features], the clip's.

  Returns:
    float32[time, features]; features that the model does not read are the
    clip's.
  """
  if not len(rows):
    return rows
  if getattr(model.config.model, f'{modality}_cmn'):
    return np.broadcast_to(rows.mean(axis=0), rows.shape)
  nothing = rows.copy()
  mean = model.variables['statistics'][modality]['standardize']['mean']
  nothing[:, : len(mean)] = mean
  return nothing


def _integrate(
  at: Callable[[np.ndarray], tuple[jax.Array, dict[str, jax.Array]]],
  number: int,
) -> dict[str, np.ndarray]:
  """The integral of equation (1) as a weighted sum over points of the line.

  The points are Gauss and Legendre's of the root of the way: most happens near
  the baseline, where states leave zero.
  """
  roots, weights = np.polynomial.legendre.leggauss(number)
  roots = (roots + 1) / 2  # From [-1, 1] to [0, 1].
  parts = [
    at(points)[1]
    for points in np.float32(roots**2).reshape(-1, _POINTS_AT_ONCE)
  ]
  return {
    name: np.float32(roots * weights)
    @ np.concatenate([part[name] for part in parts])
    for name in parts[0]
  }


@functools.partial(jax.jit, static_argnums=0)
def _along(
  classifier: EmotionClassifier,
  variables: Mapping[str, Any],
  inputs: Mapping[str, jax.Array],
  baselines: Mapping[str, jax.Array],
  lengths: Mapping[str, jax.Array],
  label: jax.Array,
  temperature: float,
  points: jax.Array,
) -> tuple[jax.Array, dict[str, jax.Array]]:
  """At points of the line, 0 the baseline and 1 the clip, in nats.

  Returns:
    The label's log-probability float32[points], and of each modality its
    gradient times the way, summed over features, float32[points, time].
  """
  ways = {name: rows - baselines[name] for name, rows in inputs.items()}

  def log_probability(features: Mapping[str, jax.Array]) -> jax.Array:
    batch = {name: rows[None] for name, rows in features.items()}
    logits = classifier.apply(variables, batch, lengths)
    return jax.nn.log_softmax(logits[0] / temperature)[label]

  def at(point: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
    value, gradients = jax.value_and_grad(log_probability)(
      {name: baselines[name] + point * way for name, way in ways.items()}
    )
    return value, {
      name: (ways[name] * gradients[name]).sum(-1) for name in ways
    }

  return jax.vmap(at)(points)


def _check(
  model: TrainedModel, inputs: Mapping[str, np.ndarray], label: int
) -> None:
  if not 0 <= label < len(model.label_names):
    raise ValueError(
      f'expected the index of one of {len(model.label_names)} labels, got'
      f' {label}'
    )
  if set(inputs) != set(model.feature_dims):
    raise ValueError(
      f'the model reads {tuple(model.feature_dims)}, got {tuple(inputs)}'
    )
  for name, width in model.feature_dims.items():
    shape = inputs[name].shape
    if len(shape) != 2 or shape[1] != width:
      raise ValueError(
        f'expected {name} [time, {width}] as the model reads it, got shape'
        f' {shape}'
      )
  if not any(len(rows) for rows in inputs.values()):
    raise ValueError('there are no rows to explain')


def _padded(rows: np.ndarray) -> np.ndarray:
  return clips_lib.pad([rows], step_multiple=_STEP_MULTIPLE)[0][0]
