"""Choice of the GRU layers' loop, with a check of the Pallas kernel."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from avemotion.models.equations import Projected
from avemotion.models.recurrence import recurrence
from avemotion.training.config import ConfigError, ModelConfig
from avemotion.training.logs import log
from avemotion.training.mesh import takes_kernels

_FOLDS, _TIME = 2, 17  # two blocks of steps and one step
_BATCH = 12  # registers that are full, and half full
# Relative to the largest number. By default a TPU multiplies float32 in
# bfloat16, and XLA and Pallas may round differently.
_TOLERANCE = 0.05


def choose(config: ModelConfig, mesh: Mesh | None) -> str:
  """Chooses the implementation of the GRU layers for a mesh.

  Returns one of `avemotion.models.gru.IMPLEMENTATIONS`. 'auto' becomes 'pallas'
  if the mesh takes kernels and they pass the check on it, else 'fused'. Without
  a mesh, 'pallas' becomes 'fused' too, which computes the same function on any
  device.

  Raises:
    ConfigError: `config.recurrence` is 'pallas', and the mesh takes no kernels.
  """
  if config.recurrence in ('scan', 'fused'):
    return config.recurrence
  if mesh is None:
    return 'fused'
  if not takes_kernels(mesh):
    if config.recurrence == 'auto':
      return 'fused'
    raise ConfigError(
      'model.recurrence=pallas needs TPUs, got'
      f' {mesh.devices.flat[0].device_kind}; use auto or fused'
    )
  if config.recurrence == 'pallas':
    return 'pallas'
  sizes = {getattr(config, name).features for name in config.modalities}
  device = mesh.local_devices[0]
  taken = all(passes(device, size, config.dtype) for size in sorted(sizes))
  if jax.process_count() > 1:  # All processes must run the same program.
    taken = bool(multihost_utils.process_allgather(np.array(taken)).all())
  return 'pallas' if taken else 'fused'


@functools.cache
def passes(device: Any, features: int, dtype: str) -> bool:
  """Returns whether the Pallas kernel agrees with the fused loop on a device.

  Compares all values and gradients of a layer of `features` units on a TPU of
  this process. Logs a warning if the kernel does not compile, does not run or
  gives other numbers.
  """
  fault = ''
  try:
    both = [_outputs(device, features, dtype, p) for p in (True, False)]
    error = np.max([*map(_distance, *both)])  # NaN if any is.
    if not error <= _TOLERANCE:
      fault = f'its results are off by {error:.0%}'
  except Exception as error:  # After any failure, the fused loop is used.
    fault = f'{type(error).__name__}: {error}'.splitlines()[0]
  if fault:
    log.warning(
      'model.recurrence: using the fused loop; the Pallas kernel failed its'
      f' check on {device.device_kind} with {features} units ({fault})'
    )
  return not fault


def _outputs(
  device: Any, features: int, dtype: str, pallas: bool
) -> list[np.ndarray]:
  """Computes small layers' states and all gradients, float32 on the host."""
  rng = np.random.default_rng(0)

  def normal(*shape: int, dtype: str = dtype, scale: float = 1.0) -> jax.Array:
    values = scale * rng.standard_normal((_FOLDS, *shape))
    return jax.device_put(values.astype(jnp.dtype(dtype)), device)

  rows = (_BATCH, features)
  inputs = (
    Projected(
      normal(_TIME, _BATCH, 2 * features), normal(_TIME, _BATCH, features)
    ),
    normal(features, 3 * features, scale=features**-0.5),
    normal(*rows, dtype='float32'),
  )
  gradients = normal(*rows, dtype='float32'), normal(_TIME, *rows)

  def layer(inputs: Any, gradients: Any) -> Any:
    states, back = jax.vjp(lambda *each: recurrence(*each, pallas), *inputs)
    return states, back(gradients)

  found = jax.jit(jax.vmap(layer))(inputs, gradients)
  return [np.asarray(leaf, np.float32) for leaf in jax.tree.leaves(found)]


def _distance(found: np.ndarray, expected: np.ndarray) -> float:
  """Computes the largest difference, relative to the largest number."""
  return float(np.abs(found - expected).max() / np.abs(expected).max())
