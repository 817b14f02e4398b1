"""Application of the bundled speech encoder to the spectrogram of a window."""

import functools
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from avemotion.features.speech import BLOCKS, ROW_STEPS
from avemotion.models.speech_encoder import STRIDE, SpeechEncoder

ENCODER = SpeechEncoder(BLOCKS)
WEIGHTS = pathlib.Path(__file__).parents[1] / 'weights' / 'speech_encoder.npz'
_POSITIONS = ROW_STEPS // STRIDE  # encoder outputs averaged per step
_MULTIPLE = 128  # rows; windows of similar lengths share a compiled program


def encode(inputs: np.ndarray) -> np.ndarray:
  """Encodes float32[rows, 80] from `speech.scaled` as float32[steps, 1024]."""
  padding = -len(inputs) % _MULTIPLE
  padded = np.pad(inputs, ((0, padding), (0, 0)))
  rows = jax.device_get(_program(params(), padded, len(inputs)))
  return rows[: -(-len(inputs) // ROW_STEPS)]


@jax.jit
def _program(params: Any, inputs: jax.Array, length: jax.Array) -> jax.Array:
  positions = ENCODER.apply({'params': params}, inputs[None], length[None])[0]
  count = -(-length // STRIDE)
  valid = (jnp.arange(len(positions)) < count).reshape(-1, _POSITIONS, 1)
  groups = positions.reshape(*valid.shape[:2], -1)
  sums = jnp.where(valid, groups, 0).sum(axis=1)
  return sums / jnp.maximum(valid.sum(axis=1), 1)


@functools.cache
def params() -> dict[str, Any]:
  """Loads the encoder's parameters, float32, from the bundled file."""
  tree: dict[str, Any] = {}
  # An open file: TFDS's tests forbid `np.load` of a path.
  with WEIGHTS.open('rb') as file, np.load(file) as arrays:
    for name, array in arrays.items():
      *groups, last = name.split('/')
      branch = tree
      for group in groups:
        branch = branch.setdefault(group, {})
      branch[last] = array.astype(np.float32)
  placed: dict[str, Any] = jax.device_put(tree)
  return placed
