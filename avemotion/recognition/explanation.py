"""Attribution of a label to time steps of sound and picture.

Integrated gradients (Sundararajan, Taly & Yan 2017): a feature's attribution is
its gradient, integrated along the straight line from a neutral baseline clip to
the clip, times the feature's distance from the baseline. Attributions add up to
the difference of the log-probabilities of clip and baseline.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from avemotion.data import clips as clips_lib
from avemotion.models import EmotionClassifier
from avemotion.training.logs import log
from avemotion.training.trained_model import TrainedModel

_MOST = 0.5  # share of the positive attributions in the strongest interval
# Sequences are padded to this multiple, so that clips of similar lengths share
# a compiled program.
_STEP_MULTIPLE = 32
_POINTS_AT_ONCE = 16  # points per batch; more take memory and save little time
# Numbers of points to try, until the attributions add up.
_POINTS = (64, 128, 256, 512)
_TOLERANCE = 0.02  # nats, and share of all nats, that the sum may miss


@dataclasses.dataclass(frozen=True)
class Explanation:
  """Attributions of a label to the steps of each modality of a clip.

  Attributes:
    seconds: float[steps], the time of each step.
    attributions: float32[steps], in nats: the amount that each step adds to the
      log-probability of the label, relative to a neutral clip.
    parts: the attributions of video, float32[steps], divided among 'brows',
      'eyes', 'mouth' and 'head' of the face; empty without landmarks.
  """

  label: str
  seconds: Mapping[str, np.ndarray]
  attributions: Mapping[str, np.ndarray]
  parts: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

  @property
  def shares(self) -> dict[str, float]:
    """Share of each modality; 0 if its attributions sum to 0 or less."""
    sums = {k: max(float(v.sum()), 0.0) for k, v in self.attributions.items()}
    whole = sum(sums.values()) or 1.0
    return {name: value / whole for name, value in sums.items()}

  @property
  def part_shares(self) -> dict[str, float]:
    """Share of each part of the face, the largest first; below 0: against."""
    sums = {name: float(nats.sum()) for name, nats in self.parts.items()}
    whole = sum(max(value, 0.0) for value in sums.values()) or 1.0
    ranked = sorted(sums.items(), key=lambda item: -item[1])
    return {name: value / whole for name, value in ranked}

  def strongest(self, modality: str) -> tuple[float, float] | None:
    """Finds the shortest interval with half of the positive attributions.

    Returns the times of its first and last step, in seconds; None if no step
    has a positive attribution.
    """
    known = np.maximum(self.attributions[modality], 0).cumsum(dtype=np.float64)
    if not known.size or known[-1] <= 0:
      return None
    before = np.concatenate([[0.0], known[:-1]])
    # The last step for each first step; past the end there is none.
    last = np.searchsorted(known, before + _MOST * known[-1] * (1 - 1e-9))
    possible = np.flatnonzero(last < known.size)
    first = possible[(last[possible] - possible).argmin()]
    seconds = self.seconds[modality]
    return float(seconds[first]), float(seconds[last[first]])

  def to_json(self) -> dict[str, Any]:
    """Returns the object that `avemotion predict --json --explain` prints."""
    modalities = {}
    for name, share in self.shares.items():
      steps = zip(self.seconds[name], self.attributions[name], strict=True)
      modalities[name] = {
        'share': round(share, 6),
        'strongest_seconds': np.round(self.strongest(name) or (), 3).tolist(),
        'steps': [
          {'seconds': round(float(at), 3), 'attribution': round(float(by), 6)}
          for at, by in steps
        ],
      }
    if self.parts and 'video' in modalities:
      modalities['video']['parts'] = {
        name: round(float(nats.sum()), 6) for name, nats in self.parts.items()
      }
    return {'label': self.label, 'modalities': modalities}

  def lines(self) -> list[str]:
    """Formats one line per modality: its share and its strongest interval."""
    lines = []
    for name, share in self.shares.items():
      said = f'{name} does not support {self.label}'
      strongest = self.strongest(name)
      if share and strongest:
        # One number where both round to the same tenth of a second.
        times = '–'.join(dict.fromkeys(f'{at:.1f}' for at in strongest))
        said = f'{name} carried {share:.0%} of {self.label}: most at {times} s'
        if name == 'video' and self.parts:
          parts = (f'{part} {x:.0%}' for part, x in self.part_shares.items())
          said += f'; of the face, {", ".join(parts)}'
      lines.append(said)
    return lines


def attribute(
  model: TrainedModel, inputs: Mapping[str, np.ndarray], label: int
) -> dict[str, np.ndarray]:
  """Computes the attribution of each feature to a label's log-probability.

  A logit would not do: it also moves with changes that all labels share.

  Args:
    model: the model that recognised the clip.
    inputs: by modality float32[time, features], as `WindowClassifier.read`
      returns them; no rows if the modality is missing.
    label: index of the label.

  Returns:
    By modality that is not missing float32[time, features], in nats. They add
    up to the label's log-probability at the model's temperature, less that of
    the baseline; a warning is logged if they do not.
  """
  lengths = {name: len(inputs[name]) for name in model.feature_dims}
  there = [name for name, length in lengths.items() if length]
  at = functools.partial(
    _along,
    model.classifier,
    model.variables,
    {name: _padded(inputs[name]) for name in lengths},
    {name: _padded(baseline(model, name, inputs[name])) for name in lengths},
    {name: np.array([length], np.int32) for name, length in lengths.items()},
    label,
    model.temperature_of(there),
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
      f'the explanation adds up to {found:.2f} of {added:.2f} nats and is'
      ' inaccurate: the probability changes too abruptly to integrate'
    )
  return {name: attributions[name][: lengths[name]] for name in there}


def baseline(
  model: TrainedModel, modality: str, rows: np.ndarray
) -> np.ndarray:
  """Returns a neutral clip of the same length.

  Every step is the mean of the training clips, or the clip's own mean for a
  branch with `cmn`. Features that the model does not read stay as they are.
  """
  if not len(rows):
    return rows
  if getattr(model.config.model, modality).cmn:
    return np.broadcast_to(rows.mean(axis=0), rows.shape)
  nothing = rows.copy()
  mean = model.variables['statistics'][modality]['standardize']['mean']
  nothing[:, : len(mean)] = mean
  return nothing


def _integrate(
  at: Callable[[np.ndarray], tuple[jax.Array, dict[str, jax.Array]]],
  number: int,
) -> dict[str, np.ndarray]:
  """Approximates the integral of equation (1) by points on the line."""
  # Gauss-Legendre quadrature over the square root of the distance: gradients
  # change most near the baseline, where states leave zero.
  roots, weights = np.polynomial.legendre.leggauss(number)
  roots = (roots + 1) / 2  # From [-1, 1] to [0, 1].
  points = np.float32(roots**2).reshape(-1, _POINTS_AT_ONCE)
  parts = [at(some)[1] for some in points]
  joined = jax.tree.map(lambda *of_points: np.concatenate(of_points), *parts)
  shares = np.float32(roots * weights)
  return {k: np.tensordot(shares, v, 1) for k, v in joined.items()}


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
  """Returns log-probabilities [points] and terms [points, time, features]."""
  ways = {name: rows - baselines[name] for name, rows in inputs.items()}

  def log_probability(features: Mapping[str, jax.Array]) -> jax.Array:
    batch = {name: rows[None] for name, rows in features.items()}
    logits = classifier.apply(variables, batch, lengths)
    return jax.nn.log_softmax(logits[0] / temperature)[label]

  def at(point: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
    value, gradients = jax.value_and_grad(log_probability)(
      {name: baselines[name] + point * way for name, way in ways.items()}
    )
    return value, {k: way * gradients[k] for k, way in ways.items()}

  return jax.vmap(at)(points)


def _padded(rows: np.ndarray) -> np.ndarray:
  return clips_lib.pad([rows], step_multiple=_STEP_MULTIPLE)[0][0]
