"""What training costs: for `launch/benchmark.py`, nothing else needs it."""

import functools
import time
from collections.abc import Callable
from unittest import mock

import jax
import numpy as np

from avemotion.data.clips import ClipSet
from avemotion.training import config as config_lib
from avemotion.training import mesh as mesh_lib
from avemotion.training.program import FoldProgram

_PAPERS_COEFFICIENTS = 13


def timed_program(
  num_folds: int, steps: int, vmapped: bool
) -> Callable[[], float]:
  """Training of some folds, on made-up features of RAVDESS's sizes; 3 × 256.

  Args:
    num_folds: in one program.
    steps: of every fold, in a call.
    vmapped: whether a CPU's folds are batched, as an accelerator's are, in
      place of one after another.

  Returns:
    A call that trains for so many steps, and returns its seconds. The first
    one compiles.
  """
  config = config_lib.Config(
    model=config_lib.ModelConfig(modalities=('audio',))
  )
  rng = np.random.default_rng(0)
  clips = ClipSet(
    features={'audio': rng.standard_normal((1440, 122, 40), np.float32)},
    lengths={'audio': np.full(1440, 122, np.int32)},
    labels=np.arange(1440, dtype=np.int32) % 8,
    actors=np.ones(1440, np.int32),
    clip_ids=np.arange(1440).astype(str),
    label_names=tuple('abcdefgh'),
  )
  make_program = functools.partial(
    FoldProgram,
    config,
    clips,
    num_folds=num_folds,
    batch_size=config.batch_size,
    steps_per_epoch=steps,
  )
  program = make_program()
  rows = np.zeros((num_folds, _PAPERS_COEFFICIENTS), np.float32)
  statistics_ = {
    'audio': {'standardize': {'mean': rows, 'deviation': rows + 1}}
  }
  keys = np.stack([jax.random.key_data(jax.random.key(0))] * num_folds)
  state = program.init(statistics_, keys)
  order = rng.integers(0, 1440, (num_folds, steps, config.batch_size))
  stacked = program.stack(keys)
  if vmapped:
    # Not `init`: its QR of several matrices runs on threads that the devices of
    # a CPU share and wait on, and was seen to wait for ever.
    with mock.patch.object(mesh_lib, 'go_together', lambda mesh: True):
      program = make_program()

  def seconds() -> float:
    nonlocal state
    start = time.perf_counter()
    state, _ = program.train_epoch(state, order.astype(np.int32), stacked)
    jax.block_until_ready(state)
    return time.perf_counter() - start

  return seconds
