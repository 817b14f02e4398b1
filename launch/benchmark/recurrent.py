"""Recurrent layers alone, forward and in training: ours, Flax, Keras, PyTorch.

Ours and Keras's `reset_after=False` are equations (1)–(4); Flax's and PyTorch's
cells reset after the product, so that no product waits for another.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from avemotion.models import GRU
from avemotion.training.mesh import make_mesh
from launch.benchmark import cases, contest

CONTENDERS = (
  contest.OURS,
  f'{contest.OURS}, {contest.WHOLE}',
  f'Flax, {contest.DIVIDED}',
  'Flax',
  'Keras on JAX',
  'Keras on TensorFlow',
  'PyTorch',
)
_REPEATS = 10


def measure(contender: str) -> dict[str, list[float]]:
  """Seconds of every case, by its name; of ours, of a matrix product too."""
  seconds = {}
  for case in cases.FORWARD + cases.TRAIN:
    seconds[str(case)] = contest.timed(_prepare(contender, case), _REPEATS)
  if contender == contest.OURS:
    seconds[contest.MATMUL] = contest.matmul(_REPEATS)
  return seconds


def _prepare(contender: str, case: cases.Recurrent) -> Callable[[], object]:
  if contender == 'PyTorch':
    from launch.benchmark import peer_torch

    return peer_torch.recurrent(case)
  if contender.startswith('Keras'):
    from launch.benchmark import peer_keras

    return peer_keras.recurrent(case, on_jax=contender.endswith('JAX'))
  ours = contender.startswith(contest.OURS)
  model = _Stack(case.layers, case.features, ours)
  params = jax.jit(model.init)(jax.random.key(0), case.samples()[0])
  # Divided as a fold's batches are: among a CPU's cores too.
  devices = list(make_mesh(1, case.batch).devices.flat)
  return jax_call(model.apply, params, case, devices)


def jax_call(
  apply: Callable[..., Any],
  params: Any,
  case: cases.Recurrent,
  devices: Sequence[Any],
) -> Callable[[], object]:
  """Compiles a case.

  Args:
    apply: from parameters and float32[time, batch, inputs] to all states.
    params: of it.
    case: what is done.
    devices: that the batch is divided among.

  Returns:
    A call that does it once.
  """
  mesh = Mesh(np.array(devices), ('data',))
  samples = jax.device_put(
    case.samples(), NamedSharding(mesh, PartitionSpec(None, None, 'data'))
  )
  params = jax.device_put(params, NamedSharding(mesh, PartitionSpec()))

  def loss(params: Any, batch: jax.Array) -> jax.Array:
    return jnp.mean(apply(params, batch) ** 2)

  def step(params: Any, batch: jax.Array) -> tuple[Any, None]:
    gradients = jax.grad(loss)(params, batch)
    followed = jax.tree.map(
      lambda p, g: p - cases.LEARNING_RATE * g, params, gradients
    )
    return followed, None

  def train(params: Any, samples: jax.Array) -> Any:
    return jax.lax.scan(step, params, samples)[0]

  def forward(params: Any, samples: jax.Array) -> jax.Array:
    return jax.lax.map(functools.partial(apply, params), samples)

  call = jax.jit(train if case.train else forward)
  return lambda: jax.block_until_ready(call(params, samples))


class _Stack(nn.Module):
  """Layers of ours or of Flax's, on [time, batch, inputs]."""

  layers: int
  features: int
  ours: bool

  @nn.compact
  def __call__(self, x: Any) -> Any:
    for i in range(self.layers):
      if self.ours:
        x, _ = GRU(self.features, time_major=True)(x)
      else:
        cell = nn.GRUCell(self.features, name=f'cell_{i}')
        x = nn.RNN(cell, time_major=True)(x)
    return x
