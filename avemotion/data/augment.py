"""Augmentation on the device: the clips of a batch, each changed at random.

Every change here is a pure function of

  features: float32[batch, time, features], padded with anything,
  lengths: int32[batch],
  rng: a key,

and of how much to change. It returns `Sequences`, the new features and lengths,
of the same shapes where its docstring does not say otherwise.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import scipy.fft

from avemotion.features import acoustic

Sequences = tuple[jax.Array, jax.Array]
Scale = jax.Array | float

# Warps are rounded to so many, whose matrices are made once.
_WARPS = 33
_SHORTEST = 4  # steps that a stretched clip keeps
_MASKS = 2


def stretch(
  features: jax.Array, lengths: jax.Array, rng: jax.Array, amount: float
) -> Sequences:
  """Slows clips down or speeds them up, by linear interpolation.

  Each becomes longer or shorter by up to `amount`, a share of its length; what
  would not fit into `time` is slowed down less.
  """
  num_clips, time, _ = features.shape
  rate = jax.random.uniform(
    rng, (num_clips,), minval=1 - amount, maxval=1 + amount
  )
  longer = jnp.round(lengths * rate).astype(jnp.int32)
  longer = jnp.clip(longer, jnp.minimum(lengths, _SHORTEST), time)
  last = jnp.maximum(lengths - 1, 0)[:, None]
  places = jnp.arange(time) * last / jnp.maximum(longer - 1, 1)[:, None]
  places = jnp.minimum(places, last)
  before = places.astype(jnp.int32)
  share = (places - before)[..., None]
  after = jnp.minimum(before + 1, last)
  earlier, later = _steps_at(features, before), _steps_at(features, after)
  return (1 - share) * earlier + share * later, longer


def crop(
  features: jax.Array, lengths: jax.Array, rng: jax.Array, steps: int
) -> Sequences:
  """Keeps a random stretch of clips that are longer than `steps`.

  Returns float32[batch, min(time, steps), features], and lengths: the loops
  over time become as short.
  """
  steps = min(steps, features.shape[1])
  spare = jnp.maximum(lengths - steps, 0)
  starts = jax.random.randint(rng, lengths.shape, 0, spare + 1)
  places = starts[:, None] + jnp.arange(steps)
  return _steps_at(features, places), jnp.minimum(lengths, steps)


def mask_time(
  features: jax.Array, lengths: jax.Array, rng: jax.Array, steps: int
) -> Sequences:
  """Overwrites stretches of time by the clip's mean (SpecAugment, Park 2019).

  There are two, each up to `steps` long; of shorter clips they may hide all.
  """
  hidden = jnp.zeros(features.shape[:2], bool)
  for key in jax.random.split(rng, _MASKS):
    size_key, start_key = jax.random.split(key)
    size = jax.random.randint(size_key, lengths.shape, 0, steps + 1)
    start = jax.random.uniform(start_key, lengths.shape)
    start = jnp.floor(start * jnp.maximum(lengths - size, 0)).astype(jnp.int32)
    place = jnp.arange(features.shape[1]) - start[:, None]
    hidden |= (place >= 0) & (place < size[:, None])
  mean = clip_mean(features, lengths)[:, None]
  return jnp.where(hidden[..., None], mean, features), lengths


def drop_channels(
  features: jax.Array, lengths: jax.Array, rng: jax.Array, share: float
) -> Sequences:
  """Holds features at their clip's mean, each with probability `share`."""
  shape = features.shape[0], 1, features.shape[2]
  held = jax.random.bernoulli(rng, share, shape)
  mean = clip_mean(features, lengths)[:, None]
  return jnp.where(held, mean, features), lengths


def noise(
  features: jax.Array, lengths: jax.Array, rng: jax.Array, std: Scale
) -> Sequences:
  """Adds Gaussian noise to every step, of `std`, a number or [features]."""
  return features + std * jax.random.normal(rng, features.shape), lengths


def offset(
  features: jax.Array, lengths: jax.Array, rng: jax.Array, std: Scale
) -> Sequences:
  """Adds a Gaussian constant of `std` to each feature of a clip.

  `std` is float32[features] or of all. On the first two MFCC this is a gain and
  a spectral tilt.
  """
  shape = features.shape[0], 1, features.shape[2]
  return features + std * jax.random.normal(rng, shape), lengths


def exchange_means(
  features: jax.Array,
  lengths: jax.Array,
  rng: jax.Array,
  means: jax.Array,
  probability: float,
) -> Sequences:
  """Moves clips from their actor's mean towards that of another in the batch.

  Who somebody is says nothing of what they feel; of a face, it is most of the
  numbers. `means` is float32[batch, features], the mean of each clip's actor;
  a clip is moved with a `probability`, and how much of the way is uniform.
  """
  order_key, which_key, way_key = jax.random.split(rng, 3)
  order = jax.random.permutation(order_key, len(means))
  others = means[order]
  moved = jax.random.bernoulli(which_key, probability, lengths.shape)
  moved &= (lengths > 0) & (lengths[order] > 0)  # The others have no mean.
  way = moved * jax.random.uniform(way_key, lengths.shape)
  offsets = way[:, None] * (others - means)
  return features + offsets[:, None], lengths


def mix(rows: jax.Array, rng: jax.Array, alpha: float) -> jax.Array:
  """Mixes each clip's rows with another's (mixup, Zhang et al. 2018).

  Rows are float32[batch, …]; features and targets that are given the same key
  are mixed alike, by shares of a Beta distribution of that `alpha`. A clip is
  the larger part of its mixture, so that its length stands; padding is mixed
  in, see `hold_last`.
  """
  order_key, share_key = jax.random.split(rng)
  share = jax.random.beta(share_key, alpha, alpha, (len(rows),))
  share = jnp.maximum(share, 1 - share).reshape(-1, *[1] * (rows.ndim - 1))
  others = rows[jax.random.permutation(order_key, len(rows))]
  return share * rows + (1 - share) * others


def hold_last(
  features: jax.Array, lengths: jax.Array, empty: jax.Array
) -> jax.Array:
  """Repeats each clip's last step over its padding, as mixtures read it.

  Returns float32[batch, time, features]; clips without steps become `empty`,
  float32[features].
  """
  last = jnp.maximum(lengths - 1, 0)[:, None]
  places = jnp.minimum(jnp.arange(features.shape[1]), last)
  held = _steps_at(features, places)
  return jnp.where((lengths > 0)[:, None, None], held, empty)


def _steps_at(features: jax.Array, places: jax.Array) -> jax.Array:
  """Reads each clip's features at the steps of int32[batch, time]."""
  return jnp.take_along_axis(features, places[..., None], axis=1)


def warp_vocal_tract(
  features: jax.Array, lengths: jax.Array, rng: jax.Array, amount: float
) -> Sequences:
  """Scales the frequencies of MFCC by up to `amount`, a share.

  VTLP (Jaitly & Hinton 2013): back from cepstrum to mel bands, every band read
  where the scaled frequency lies, and forth: all linear, so that it is one
  matrix for each scale. What the missing coefficients would have said is taken
  for zero. `features` are as `avemotion.features.acoustic.mfcc` makes them.
  """
  matrices = jnp.asarray(_warps(features.shape[-1], amount))
  chosen = jax.random.randint(rng, lengths.shape, 0, len(matrices))
  return jnp.einsum('btc,bdc->btd', features, matrices[chosen]), lengths


def clip_mean(features: jax.Array, lengths: jax.Array) -> jax.Array:
  """The mean of each clip's valid steps, float32[batch, features]."""
  valid = jnp.arange(features.shape[1]) < lengths[:, None]
  sums = jnp.where(valid[..., None], features, 0).sum(axis=1)
  return sums / jnp.maximum(lengths, 1)[:, None]


@functools.cache
def _warps(num_coefficients: int, amount: float) -> np.ndarray:
  """Matrices float32[scales, coefficients, coefficients] of warped MFCC."""
  bands = acoustic.NUM_MEL_BANDS
  top = _mel(acoustic.SAMPLE_RATE / 2)
  centres = np.linspace(0, top, bands + 2)[1:-1]
  to_bands = scipy.fft.dct(np.eye(bands), norm='ortho')[:, :num_coefficients]
  to_bands = to_bands.astype(np.float32)
  warps = []
  for scale in np.linspace(1 - amount, 1 + amount, _WARPS):
    read = _mel(_hertz(centres) / scale)
    # Each band between its two neighbours: `interp` of the bands' unit vectors.
    interpolate = np.stack(
      [np.interp(read, centres, unit) for unit in np.eye(bands)], axis=1
    )
    warps.append(to_bands.T @ interpolate @ to_bands)
  return np.stack(warps).astype(np.float32)


# As librosa's `hz_to_mel` and `mel_to_hz`, whose import takes 2 s.
def _mel(hertz: np.ndarray | float) -> np.ndarray:
  """Slaney's mel: linear to 1 kHz, 15 mel; above, 27 to a factor of 6.4."""
  above = 15 + 27 * np.log(np.maximum(hertz, 1000) / 1000) / np.log(6.4)
  return np.where(np.less(hertz, 1000), np.multiply(hertz, 3 / 200), above)


def _hertz(mel: np.ndarray) -> np.ndarray:
  return np.where(
    mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27)
  )
