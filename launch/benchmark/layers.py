"""Times recurrent layers, forward and in training: ours, Flax, Keras, PyTorch.

Ours and Keras's `reset_after=False` are equations (1)–(4). The cells of Keras's
`reset_after=True`, of Flax and of PyTorch reset after the product, so their
products are independent.
"""

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from avemotion.models import GRU
from avemotion.training import devices
from avemotion.training import mesh as mesh_lib
from launch.benchmark import cases, contest
from launch.benchmark.figures import record_speed

_FLAX = 'Flax'
SIZE = 2048
MATMUL = f'matrix product of {SIZE}²'


def main(_: list[str]) -> None:
  """Records shares of the matrix product's rate, and peers' seconds."""
  contenders = contest.OURS, _FLAX, *contest.PEERS.values()
  held = contest.run(contenders, _calls)
  limit = product_rate(held)
  for name, case in (('forward', cases.FORWARD[0]), ('train', cases.TRAIN[0])):
    rate = case.flops / held[str(case)][contest.OURS]
    unit = 'fraction of the product rate'
    record_speed(f'gru_{name}.share_of_matmul', rate / limit, unit)
  peers = contest.PEERS | {'flax': _FLAX}
  contest.record_over('gru_train', held[str(cases.TRAIN[0])], peers)


def product_rate(held: contest.Medians) -> float:
  """Returns the FLOP/s of `matmul` in a contest."""
  return 2 * SIZE**3 / held[MATMUL][contest.OURS]


def _calls(contender: str) -> Iterator[tuple[str, contest.Call]]:
  if contender == contest.OURS:
    devices.start()  # Divides batches among CPU cores, as in training.
    yield MATMUL, matmul()
  for case in cases.FORWARD + cases.TRAIN:
    yield str(case), _call(contender, case)


def matmul() -> contest.Call:
  """Makes a large float32 product, with rows divided among all devices."""
  own: list[Any] = jax.devices()[: math.gcd(jax.device_count(), SIZE)]
  mesh = Mesh(np.array(own), ('rows',))
  square = jnp.ones((SIZE, SIZE))
  rows = jax.device_put(square, NamedSharding(mesh, PartitionSpec('rows')))
  whole = jax.device_put(square, NamedSharding(mesh, PartitionSpec()))
  product = jax.jit(jnp.matmul)
  return lambda: jax.block_until_ready(product(rows, whole))


def _call(contender: str, case: cases.Recurrent) -> contest.Call:
  if contender in (contest.TORCH, contest.TORCH_COMPILED):
    from launch.benchmark import peer_torch

    return peer_torch.recurrent(case, contender == contest.TORCH_COMPILED)
  if contender in (contest.KERAS, contest.KERAS_AFTER):
    from launch.benchmark import peer_keras

    after = contender == contest.KERAS_AFTER
    return _jax_call(*peer_keras.recurrent(case, after), case)
  model = _Stack(case.layers, case.features, contender == contest.OURS)
  params = jax.jit(model.init)(jax.random.key(0), case.samples()[0])
  return _jax_call(model.apply, params, case)


def _jax_call(
  apply: Callable[..., Any], params: Any, case: cases.Recurrent
) -> contest.Call:
  """Makes a call that runs a case once.

  `apply` maps parameters and float32[time, batch, inputs] to all states.
  """
  mesh = mesh_lib.make_mesh(1, case.batch)
  divided = PartitionSpec(None, None, mesh_lib.DATA)
  samples = jax.device_put(case.samples(), NamedSharding(mesh, divided))
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
  """Layers of our GRU or of Flax's."""

  layers: int
  features: int
  ours: bool

  @nn.compact
  def __call__(self, x: Any) -> Any:
    for _ in range(self.layers):
      if self.ours:
        x = GRU(self.features, 'fused', time_major=True)(x)
      else:
        x = nn.RNN(nn.GRUCell(self.features), time_major=True)(x)
    return x
