"""Attribution: the time steps of sound and picture that carried a label.

Integrated gradients (Sundararajan, Taly & Yan 2017): each feature's gradient,
integrated along the straight line from a baseline, a clip that says nothing, to
the clip, times the feature's distance from the baseline is what the feature
adds. All of them add up to what the clip adds to the baseline.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from avemotion.data import clips as clips_lib
from avemotion.models import EmotionClassifier
from avemotion.training.checkpoints import TrainedModel
from avemotion.training.logs import log

_MOST = 0.5  # of what speaks for a label, in its strongest interval
# Sequences are padded to multiples, so that clips of like lengths share a
# compiled program.
_STEP_MULTIPLE = 32
_POINTS_AT_ONCE = 16  # of the line; more take memory and are hardly faster
# In all; more where fewer do not add up, as the answer jumps on the way.
_POINTS = (64, 128, 256, 512)
_TOLERANCE = 0.02  # nats, and share of all nats, that may be missing


@dataclasses.dataclass(frozen=True)
class Explanation:
  """The steps that carried a label, for each modality that the clip has.

  Attributes:
    seconds: float[steps], the time that each step is known at.
    attributions: float32[steps], nats: what each step adds to the logarithm of
      the label's probability, beside a clip that says nothing.
    parts: the video's attributions, float32[steps], divided among the parts of
      the face, 'brows', 'eyes', 'mouth' and 'head'; empty without landmarks.
  """

  label: str
  seconds: Mapping[str, np.ndarray]
  attributions: Mapping[str, np.ndarray]
  parts: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

  @property
  def shares(self) -> dict[str, float]:
    """Each modality's share; 0: as a whole, it does not speak for the label."""
    sums = {k: max(float(v.sum()), 0.0) for k, v in self.attributions.items()}
    whole = sum(sums.values()) or 1.0
    return {name: value / whole for name, value in sums.items()}

  @property
  def part_shares(self) -> dict[str, float]:
    """Share of each part of the face in all that speaks for the label.

    The largest comes first; a part that speaks against the label is below 0.
    """
    sums = {name: float(nats.sum()) for name, nats in self.parts.items()}
    whole = sum(max(value, 0.0) for value in sums.values()) or 1.0
    ranked = sorted(sums.items(), key=lambda item: -item[1])
    return {name: value / whole for name, value in ranked}

  def strongest(self, modality: str) -> tuple[float, float] | None:
    """Finds the shortest time that holds half of what speaks for the label.

    Its first and its last step, seconds; None: no step speaks for it.
    """
    known = np.maximum(self.attributions[modality], 0).cumsum(dtype=np.float64)
    if not known.size or known[-1] <= 0:
      return None
    before = np.concatenate([[0.0], known[:-1]])
    # For each first step the last one; past the end there is none.
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
    """Says what carried the label, in a line for each modality."""
    lines = []
    for name, share in self.shares.items():
      said = f'{name} does not speak for {self.label}'
      strongest = self.strongest(name)
      if share and strongest:
        # Once, where both are the same to a tenth of a second.
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
  """Computes what each feature of each step adds to a log-probability.

  Not to the logit, which also moves by what moves those of all labels alike and
  carries no decision.

  Args:
    model: the one that recognised the clip.
    inputs: for each of its modalities float32[time, features] as the model
      reads them, less an enrolled speaker's mean; no rows: it is missing.
    label: its index.

  Returns:
    For each modality that is not missing float32[time, features], nats; they
    sum up to the logarithm of the label's probability, at the model's
    temperature, less the baseline's. Where they do so badly, a warning is
    logged.
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
      f'the explanation adds up to {found:.2f} nats of {added:.2f}: the answer'
      ' jumps on the way to the clip'
    )
  return {name: attributions[name][: lengths[name]] for name in there}


def baseline(
  model: TrainedModel, modality: str, rows: np.ndarray
) -> np.ndarray:
  """Returns a clip of the same length that says nothing.

  It stands at the training clips' mean, or at its own for a branch that takes
  that off. Features that the model does not read are the clip's.
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
  """Approximates the integral of equation (1) by points of the line."""
  # Gauss and Legendre's of the root of the distance: most happens near the
  # baseline, where states leave zero.
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
  """Returns log-probabilities [points], parts [points, time, features]."""
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
