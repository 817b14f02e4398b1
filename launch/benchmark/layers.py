"""Recurrent layers alone, forward and in training: ours, Flax, Keras, PyTorch.

Ours and Keras's `reset_after=False` are equations (1)–(4); Flax's and PyTorch's
cells reset after the product, so that no product waits for another.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec

from avemotion.models import GRU
from avemotion.training import devices
from avemotion.training import mesh as mesh_lib
from launch.benchmark import cases, contest
from launch.benchmark.figures import record_speed

_KERAS, _TORCH, _FLAX = 'Keras on JAX', 'PyTorch', 'Flax'


def main(_: list[str]) -> None:
  """Records a share of the limit, and the peers' seconds over ours."""
  flops = {str(case): case.flops for case in cases.FORWARD + cases.TRAIN}
  held = contest.run((contest.OURS, _FLAX, _KERAS, _TORCH), _calls, flops)
  if held is None:
    return
  forward, train = str(cases.FORWARD[0]), str(cases.TRAIN[0])
  record_speed('gru_forward.share_of_matmul', held.share(forward), 'fraction')
  record_speed('gru_train.share_of_matmul', held.share(train), 'fraction')
  peers = {'torch': _TORCH, 'keras': _KERAS, 'flax': _FLAX}
  held.record_over('gru_train', train, peers)


def _calls(contender: str) -> Iterator[tuple[str, contest.Call]]:
  if contender == contest.OURS:
    devices.start()  # Divides batches among a CPU's cores, as training does.
  for case in cases.FORWARD + cases.TRAIN:
    yield str(case), _call(contender, case)


def _call(contender: str, case: cases.Recurrent) -> contest.Call:
  if contender == _TORCH:
    from launch.benchmark import peer_torch

    return peer_torch.recurrent(case)
  if contender == _KERAS:
    from launch.benchmark import peer_keras

    return _jax_call(*peer_keras.recurrent(case), case)
  model = _Stack(case.layers, case.features, contender == contest.OURS)
  params = jax.jit(model.init)(jax.random.key(0), case.samples()[0])
  return _jax_call(model.apply, params, case)


def _jax_call(
  apply: Callable[..., Any], params: Any, case: cases.Recurrent
) -> contest.Call:
  """Makes a call that does a case once.

  `apply` takes parameters and float32[time, batch, inputs] to all states.
  """
  mesh = mesh_lib.make_mesh(1, case.batch)
  samples = jax.device_put(
    case.samples(),
    NamedSharding(mesh, PartitionSpec(None, None, mesh_lib.DATA)),
  )
  params = jax.device_put(params, NamedSharding(mesh, PartitionSpec()))

  def loss(params: Any, batch: jax.Array) -> jax.Array:
    return jnp.mean(apply(params, batch) ** 2)

  def step(params: Any, batch: jax.Array) -> tuple[Any, None]:
    rate = cases.CONFIG.optimizer.learning_rate
    gradients = jax.grad(loss)(params, batch)
    return jax.tree.map(lambda p, g: p - rate * g, params, gradients), None

  def train(params: Any, samples: jax.Array) -> Any:
    return jax.lax.scan(step, params, samples)[0]

  def forward(params: Any, samples: jax.Array) -> jax.Array:
    return jax.lax.map(functools.partial(apply, params), samples)

  call = jax.jit(train if case.train else forward)
  return lambda: jax.block_until_ready(call(params, samples))


class _Stack(nn.Module):
  """Layers of our GRU, or of Flax's."""

  layers: int
  features: int
  ours: bool

  @nn.compact
  def __call__(self, x: Any) -> Any:
    for i in range(self.layers):
      if self.ours:
        x = GRU(self.features, 'fused', time_major=True)(x)
      else:
        cell = nn.GRUCell(self.features, name=f'cell_{i}')
        x = nn.RNN(cell, time_major=True)(x)
    return x
