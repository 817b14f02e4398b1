r"""Measures training and VGG16 on one GPU, in under eight minutes.

  pip install '.[cuda,data]' torch
  python launch/benchmark gpu --output=gpu.json

Each part runs in a process of its own and is written to the output when it is
finished, so the same command resumes a run that was stopped. The parts are:

- `product`: the rate of a large matrix product;
- `layers`: the gradient of the paper's GRU layers, by `scan`, by `fused` and by
  PyTorch (cuDNN);
- `folds`: steps of ten folds in one program, of one fold, and of ten folds in
  PyTorch, one after another;
- `training`: 25 epochs of ten folds of the audio model;
- `vgg16`: features of face crops.

Without a GPU the parts run on the CPU, which tests this script. Without PyTorch
its rows are left out.
"""

import importlib.util
import json
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from avemotion.data import clips as clips_lib
from avemotion.data import folds
from avemotion.evaluation import markdown
from avemotion.features import visual
from avemotion.models import GRU
from avemotion.training import config_files, devices
from avemotion.training.program import FoldProgram
from launch.benchmark import cases, contest, training

_OUTPUT = flags.DEFINE_string('output', 'gpu.json', 'file of the figures')
_PART = flags.DEFINE_string('part', None, 'run this part alone, and print it')
_EPOCHS = flags.DEFINE_integer(
  'epochs', 25, 'epochs of the training that is timed', lower_bound=2
)
_LIMIT = 95  # seconds of a part: eight minutes in all

_SIZE = 4096
_REPEATS = 5
_BATCHES = cases.BATCH, cases.BATCH * cases.NUM_FOLDS
_CROPS = 2048
_Figures = dict[str, float]


def main(_: list[str]) -> int:
  """Runs the parts that the output lacks; returns 1 if one of them failed."""
  if _PART.value:
    devices.start()
    print(json.dumps(_PARTS[_PART.value]()))
    return 0
  output = pathlib.Path(_OUTPUT.value)
  known = json.loads(output.read_text()) if output.exists() else {}
  known.setdefault('device', jax.devices()[0].device_kind)
  parts = known.setdefault('parts', {})
  for name in _PARTS:
    if name not in parts and (found := _run(name)) is not None:
      parts[name] = found
      output.write_text(json.dumps(known, indent=2) + '\n')
  rows = [
    (name, figure, f'{value:.4g}')
    for name, found in parts.items()
    for figure, value in found.items()
  ]
  print(markdown.table(('part', known['device'], 'value'), rows))
  return int(len(parts) < len(_PARTS))


def _run(name: str) -> _Figures | None:
  """Runs a part in a process of its own; None if it failed."""
  here = str(pathlib.Path(__file__).parent)
  command = [sys.executable, here, 'gpu', f'--part={name}']
  start = time.monotonic()
  try:
    ran = subprocess.run(
      [*command, f'--epochs={_EPOCHS.value}'],
      stdout=subprocess.PIPE,
      text=True,
      timeout=_LIMIT,
      check=True,
    )
  except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
    print(f'{name}: {error}', file=sys.stderr)
    return None
  print(f'{name}: {time.monotonic() - start:.0f} s', flush=True)
  found: _Figures = json.loads(ran.stdout.splitlines()[-1])
  return found


def _rate() -> _Figures:
  """Measures the product of float32 matrices, in JAX's default precision."""
  square = jnp.ones((_SIZE, _SIZE))
  product = jax.jit(jnp.matmul)
  seconds = _median_of(product, square, square)
  return {'teraflops': 2 * _SIZE**3 / seconds / 1e12}


def _layers() -> _Figures:
  """Measures a gradient of the paper's three layers, for one fold and ten."""
  found = {}
  for batch in _BATCHES:
    sizes = cases.TRAIN[0]
    samples = jnp.asarray(
      np.random.default_rng(0).standard_normal(
        (sizes.time, batch, sizes.inputs), np.float32
      )
    )
    for implementation in ('scan', 'fused'):
      layers = [
        GRU(sizes.features, implementation, time_major=True)
        for _ in range(sizes.layers)
      ]
      model = nn.Sequential(layers)
      params = jax.jit(model.init)(jax.random.key(0), samples)

      def loss(
        params: Any, samples: jax.Array, model: nn.Module = model
      ) -> jax.Array:
        states: Any = model.apply(params, samples)
        return jnp.mean(states**2)

      gradient = jax.jit(jax.grad(loss))
      seconds = _median_of(gradient, params, samples)
      found[f'{implementation}.batch_{batch}.milliseconds'] = 1e3 * seconds
    if importlib.util.find_spec('torch'):
      from launch.benchmark import peer_torch

      case = cases.Recurrent(
        sizes.layers,
        sizes.features,
        sizes.time,
        sizes.inputs,
        batch,
        train=True,
      )
      seconds = _median(peer_torch.recurrent(case)) / cases.STEPS
      found[f'torch.batch_{batch}.milliseconds'] = 1e3 * seconds
  return found


def _folds() -> _Figures:
  """Measures steps of ten folds over those of one, and PyTorch's over ours."""
  ten, one = (_median(training.ours(('audio',), number)) for number in (10, 1))
  found = {
    'ten_folds.steps_seconds': ten,
    'ten_folds_over_one': ten / one,
  }
  if importlib.util.find_spec('torch'):
    from launch.benchmark import peer_torch

    torch = _median(peer_torch.training(('audio',), cases.NUM_FOLDS))
    found['crossval.over_torch'] = torch / ten
  return found


def _training() -> _Figures:
  """Trains ten folds of the audio model on RAVDESS's features."""
  config = config_files.load_config('audio', {})
  clips = clips_lib.load('ravdess/bundled').select(('audio',))
  protocol = folds.make_folds('random10', clips.labels, clips.actors)
  start = time.perf_counter()
  program = FoldProgram(config, clips, protocol, range(len(protocol)))
  state, metrics = program.train_epoch(program.init(), epoch=0)
  jax.block_until_ready(state)
  compiled = time.perf_counter()
  for epoch in range(1, _EPOCHS.value):
    state, metrics = program.train_epoch(state, epoch=epoch)
  jax.block_until_ready(state)
  seconds = time.perf_counter() - compiled
  return {
    'ten_folds_seconds': seconds * _EPOCHS.value / max(_EPOCHS.value - 1, 1),
    'first_epoch_seconds': compiled - start,
    'training_accuracy': float(np.mean(metrics['accuracy'])),
  }


def _vgg16() -> _Figures:
  """Measures VGG16's features of face crops."""
  encode = visual.VisualEncoder()
  rng = np.random.default_rng(0)
  crops = rng.integers(0, 256, (_CROPS, 48, 48, 3), np.uint8)
  return {'crops_per_second': _CROPS / _median(lambda: encode(crops))}


def _median_of(function: Callable[..., object], *arguments: object) -> float:
  return _median(lambda: jax.block_until_ready(function(*arguments)))


def _median(call: Callable[[], object]) -> float:
  return float(np.median(contest.timed(call, _REPEATS)))


_PARTS: dict[str, Callable[[], _Figures]] = {
  'product': _rate,
  'layers': _layers,
  'folds': _folds,
  'training': _training,
  'vgg16': _vgg16,
}
