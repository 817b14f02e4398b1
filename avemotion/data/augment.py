"""Augmentation on the device: random changes of each clip of a batch.

Every change is a pure function of

  features: float32[batch, time, features], with arbitrary padding,
  lengths: int32[batch],
  rng: a key,

and of an amount. It returns `Sequences`, the new features and lengths, of the
same shapes unless its docstring says otherwise.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import scipy.fft

from avemotion.features import acoustic

Sequences = tuple[jax.Array, jax.Array]
Scale = jax.Array | float

_WARPS = 33  # Number of scales; their matrices are computed once.
_SHORTEST = 4  # least number of steps of a stretched clip
_MASKS = 2


def stretch(
  features: jax.Array, lengths: jax.Array, rng: jax.Array, amount: float
) -> Sequences:
  """Slows clips down or speeds them up, by linear interpolation.

  Each length changes by up to `amount`, a share of it, but does not exceed
  `time`.
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
  """Keeps a random part of clips that are longer than `steps`.

  Returns float32[batch, min(time, steps), features], which shortens the loops
  over time, and lengths.
  """
  steps = min(steps, features.shape[1])
  spare = jnp.maximum(lengths - steps, 0)
  starts = jax.random.randint(rng, lengths.shape, 0, spare + 1)
  places = starts[:, None] + jnp.arange(steps)
  return _steps_at(features, places), jnp.minimum(lengths, steps)


def mask_time(
  features: jax.Array, lengths: jax.Array, rng: jax.Array, steps: int
) -> Sequences:
  """Overwrites two parts of each clip by its mean (SpecAugment, Park 2019).

  Each part is up to `steps` long, and may cover the whole of a short clip.
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
  """Sets features to their clip's mean, each with probability `share`."""
  shape = features.shape[0], 1, features.shape[2]
  held = jax.random.bernoulli(rng, share, shape)
  mean = clip_mean(features, lengths)[:, None]
  return jnp.where(held, mean, features), lengths


def noise(
  features: jax.Array, lengths: jax.Array, rng: jax.Array, std: Scale
) -> Sequences:
  """Adds Gaussian noise of `std`, a number or [features], to every step."""
  return features + std * jax.random.normal(rng, features.shape), lengths


def offset(
  features: jax.Array, lengths: jax.Array, rng: jax.Array, std: Scale
) -> Sequences:
  """Adds a Gaussian constant of `std` to each feature of a clip.

  `std` is a number or float32[features]. On the first two MFCC this is a gain
  and a spectral tilt.
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
  """Moves clips from their actor's mean towards another actor's in the batch.

  An actor's mean carries identity, not emotion. `means` is float32[batch,
  features], the mean of each clip's actor. A clip moves with a `probability`,
  by a uniform share of the distance.
  """
  order_key, which_key, way_key = jax.random.split(rng, 3)
  order = jax.random.permutation(order_key, len(means))
  others = means[order]
  moved = jax.random.bernoulli(which_key, probability, lengths.shape)
  moved &= (lengths > 0) & (lengths[order] > 0)  # Empty clips have no mean.
  way = moved * jax.random.uniform(way_key, lengths.shape)
  offsets = way[:, None] * (others - means)
  return features + offsets[:, None], lengths


def mix(rows: jax.Array, rng: jax.Array, alpha: float) -> jax.Array:
  """Mixes each clip's rows with another's (mixup, Zhang et al. 2018).

  Rows are float32[batch, …]; the shares follow Beta(alpha, alpha), and are the
  same for features and targets with the same key. A clip is the larger part of
  its mixture, whose length is the clip's. Padding is mixed too, see
  `hold_last`.
  """
  order_key, share_key = jax.random.split(rng)
  share = jax.random.beta(share_key, alpha, alpha, (len(rows),))
  share = jnp.maximum(share, 1 - share).reshape(-1, *[1] * (rows.ndim - 1))
  others = rows[jax.random.permutation(order_key, len(rows))]
  return share * rows + (1 - share) * others


def hold_last(
  features: jax.Array, lengths: jax.Array, empty: jax.Array
) -> jax.Array:
  """Overwrites each clip's padding with its last step, for `mix`.

  Returns float32[batch, time, features]; clips without steps become `empty`,
  float32[features].
  """
  last = jnp.maximum(lengths - 1, 0)[:, None]
  places = jnp.minimum(jnp.arange(features.shape[1]), last)
  held = _steps_at(features, places)
  return jnp.where((lengths > 0)[:, None, None], held, empty)


def _steps_at(features: jax.Array, places: jax.Array) -> jax.Array:
  """Gathers each clip's features at the steps int32[batch, time]."""
  return jnp.take_along_axis(features, places[..., None], axis=1)


def warp_vocal_tract(
  features: jax.Array, lengths: jax.Array, rng: jax.Array, amount: float
) -> Sequences:
  """Scales the frequencies of MFCC by up to `amount`, a share.

  VTLP (Jaitly & Hinton 2013): MFCC are converted to mel bands, interpolated at
  the scaled frequencies, and converted back, by one matrix for each scale.
  Higher coefficients are taken as zero. `features` are those of
  `avemotion.features.acoustic.mfcc`.
  """
  matrices = jnp.asarray(_warps(features.shape[-1], amount))
  chosen = jax.random.randint(rng, lengths.shape, 0, len(matrices))
  return jnp.einsum('btc,bdc->btd', features, matrices[chosen]), lengths


def clip_mean(features: jax.Array, lengths: jax.Array) -> jax.Array:
  """Computes the mean of each clip's valid steps, float32[batch, features]."""
  valid = jnp.arange(features.shape[1]) < lengths[:, None]
  sums = jnp.where(valid[..., None], features, 0).sum(axis=1)
  return sums / jnp.maximum(lengths, 1)[:, None]


@functools.cache
def _warps(num_coefficients: int, amount: float) -> np.ndarray:
  """Makes the matrices float32[scales, coefficients, coefficients] of warps."""
  bands = acoustic.NUM_MEL_BANDS
  top = _mel(acoustic.SAMPLE_RATE / 2)
  centres = np.linspace(0, top, bands + 2)[1:-1]
  to_bands = scipy.fft.dct(np.eye(bands), norm='ortho')[:, :num_coefficients]
  to_bands = to_bands.astype(np.float32)
  warps = []
  for scale in np.linspace(1 - amount, 1 + amount, _WARPS):
    read = _mel(_hertz(centres) / scale)
    # Linear interpolation of bands, as a matrix.
    interpolate = np.stack(
      [np.interp(read, centres, unit) for unit in np.eye(bands)], axis=1
    )
    warps.append(to_bands.T @ interpolate @ to_bands)
  return np.stack(warps).astype(np.float32)


# Same as librosa's `hz_to_mel` and `mel_to_hz`, whose import takes 2 s.
def _mel(hertz: np.ndarray | float) -> np.ndarray:
  """Converts to Slaney's mel, linear to 1 kHz (15 mel), logarithmic above."""
  above = 15 + 27 * np.log(np.maximum(hertz, 1000) / 1000) / np.log(6.4)
  return np.where(np.less(hertz, 1000), np.multiply(hertz, 3 / 200), above)


def _hertz(mel: np.ndarray) -> np.ndarray:
  return np.where(
    mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27)
  )
