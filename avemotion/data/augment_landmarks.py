"""Augmentation of face landmarks: mirror, rotate, scale.

Arguments and results are as in `augment`. Features are those of
`features.landmarks`, float32[batch, time, 140 * groups]; others raise
`ValueError`. A group has x and y of 68 points around the middle of the eyes,
and the head's position (x, y), logarithm of its size, and roll. The second
group, deltas, changes in the same linear way; `augment.stretch` does not
rescale it.
"""

import jax
import jax.numpy as jnp
import numpy as np

from avemotion.data.augment import Sequences
from avemotion.features.landmarks import GROUP, NUM_POINTS

# Number of the point on the other side of the face, for iBUG's 68 points.
MIRRORED = np.concatenate(
  [
    np.arange(17)[::-1],  # jaw
    np.arange(17, 27)[::-1],  # brows
    np.arange(27, 31),  # nose
    np.arange(31, 36)[::-1],  # nostrils
    [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40],  # eyes
    *(np.arange(48, 55)[::-1], np.arange(55, 60)[::-1]),  # outer lip
    *(np.arange(60, 65)[::-1], np.arange(65, 68)[::-1]),  # inner lip
  ]
)


def mirror(
  features: jax.Array, lengths: jax.Array, rng: jax.Array
) -> Sequences:
  """Mirrors each clip with probability one half."""
  points, head = _split(features)
  across = jnp.array([-1.0, 1.0])
  mirrored = _join(
    points[..., MIRRORED, :] * across, head * jnp.array([-1.0, 1.0, 1.0, -1.0])
  )
  chosen = jax.random.bernoulli(rng, shape=(len(lengths), 1, 1))
  return jnp.where(chosen, mirrored, features), lengths


def rotate(
  features: jax.Array, lengths: jax.Array, rng: jax.Array, std: float
) -> Sequences:
  """Rotates the points of each clip by a Gaussian angle of `std` radians."""
  points, head = _split(features)
  angle = std * jax.random.normal(rng, (len(lengths), 1))
  x, y = points[..., 0], points[..., 1]
  cosine, sine = (f(angle)[..., None, None] for f in (jnp.cos, jnp.sin))
  turned = jnp.stack([cosine * x - sine * y, sine * x + cosine * y], axis=-1)
  head = head.at[:, :, 0, 3].add(angle)  # Roll changes alike.
  return _join(turned, head), lengths


def scale(
  features: jax.Array, lengths: jax.Array, rng: jax.Array, std: float
) -> Sequences:
  """Scales x and y of each clip's points by Gaussian factors, 1 ± `std`."""
  points, head = _split(features)
  factor = 1 + std * jax.random.normal(rng, (len(lengths), 1, 1, 1, 2))
  return _join(points * factor, head), lengths


def _split(features: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Splits into points [batch, time, groups, 68, 2] and heads [..., 4]."""
  batch, time, width = features.shape
  if width % GROUP:
    raise ValueError(
      f'expected landmarks, {GROUP} or {2 * GROUP} features, got {width}'
    )
  groups = features.reshape(batch, time, -1, GROUP)
  points = groups[..., : 2 * NUM_POINTS]
  return points.reshape(*points.shape[:-1], NUM_POINTS, 2), groups[..., -4:]


def _join(points: jax.Array, head: jax.Array) -> jax.Array:
  flat = points.reshape(*head.shape[:-1], 2 * NUM_POINTS)
  return jnp.concatenate([flat, head], axis=-1).reshape(*head.shape[:2], -1)
