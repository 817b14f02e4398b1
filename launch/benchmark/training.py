"""Whole steps of training, and ten folds of them: ours, Keras, PyTorch."""

import functools
from collections.abc import Callable
from unittest import mock

import jax
import numpy as np

from avemotion.data.clips import ClipSet
from avemotion.training import config as config_lib
from avemotion.training import mesh as mesh_lib
from avemotion.training.program import FoldProgram
from launch.benchmark import cases, contest

STEP_CONTENDERS = (
  contest.OURS,
  f'{contest.OURS}, bfloat16',
  'Keras on JAX',
  'PyTorch',
)
VMAPPED, APART = 'ours, folds vmapped', 'ours, ten runs of one fold'
CROSSVAL_CONTENDERS = (contest.OURS, VMAPPED, APART, 'PyTorch')
FUSION, AUDIO = ('video', 'audio'), ('audio',)
_REPEATS = 6
_CLIPS = 1440


def measure_step(contender: str) -> dict[str, list[float]]:
  """Seconds of some steps of the fusion model, and of the audio model."""
  seconds = {}
  for modalities in (FUSION, AUDIO):
    if contender == 'PyTorch':
      from launch.benchmark import peer_torch

      call = peer_torch.training(modalities, num_folds=1)
    elif contender == 'Keras on JAX':
      from launch.benchmark import peer_keras

      call = peer_keras.training(modalities)
    else:
      dtype = 'bfloat16' if 'bfloat16' in contender else 'float32'
      call = _program(modalities, 1, dtype)
    seconds[step_case(modalities)] = contest.timed(call, _REPEATS)
  if contender == contest.OURS:
    seconds[contest.MATMUL] = contest.matmul(_REPEATS)
  return seconds


def measure_crossval(contender: str) -> dict[str, list[float]]:
  """Seconds of some steps of every fold of the audio model."""
  if contender == 'PyTorch':
    from launch.benchmark import peer_torch

    call = peer_torch.training(AUDIO, cases.NUM_FOLDS)
  elif contender == APART:
    call = _repeated(_program(AUDIO, num_folds=1), cases.NUM_FOLDS)
  else:
    vmapped = contender == VMAPPED
    call = _program(AUDIO, cases.NUM_FOLDS, vmapped=vmapped)
  seconds = {CROSSVAL_CASE: contest.timed(call, _REPEATS)}
  if contender == contest.OURS:
    seconds[contest.MATMUL] = contest.matmul(_REPEATS)
  return seconds


def _repeated(call: Callable[[], object], times: int) -> Callable[[], object]:
  def repeat() -> None:
    for _ in range(times):
      call()

  return repeat


def step_case(modalities: tuple[str, ...]) -> str:
  """The name of a case of `measure_step`."""
  what = 'fusion' if len(modalities) > 1 else modalities[0]
  return f'{what} model, batch {cases.BATCH}, {cases.STEPS} steps'


CROSSVAL_CASE = f'{cases.NUM_FOLDS} folds, {cases.STEPS} steps of each'


def _program(
  modalities: tuple[str, ...],
  num_folds: int,
  dtype: str = 'float32',
  *,
  vmapped: bool = False,
) -> Callable[[], object]:
  """A call that trains folds for some steps, as `launch/train.py` does.

  Args:
    modalities: of the model.
    num_folds: in one program.
    dtype: of the computation.
    vmapped: whether a CPU's folds are batched, as an accelerator's are, in
      place of one after another.
  """
  config = config_lib.Config(
    model=config_lib.ModelConfig(modalities=modalities, dtype=dtype)
  )
  features, labels = cases.clips(modalities, _CLIPS)
  clips = ClipSet(
    features=features,
    lengths={
      name: np.full(_CLIPS, rows.shape[1], np.int32)
      for name, rows in features.items()
    },
    labels=labels,
    actors=np.ones(_CLIPS, np.int32),
    clip_ids=np.arange(_CLIPS).astype(str),
    label_names=tuple('abcdefgh'),
  )
  make_program = functools.partial(
    FoldProgram,
    config,
    clips,
    num_folds=num_folds,
    batch_size=cases.BATCH,
    steps_per_epoch=cases.STEPS,
  )
  program = make_program()
  statistics = {}
  for name, (_, width) in cases.SHAPES.items():
    if name in modalities:
      rows = np.zeros((num_folds, width), np.float32)
      statistics[name] = {'standardize': {'mean': rows, 'std': rows + 1}}
  keys = np.stack([jax.random.key_data(jax.random.key(0))] * num_folds)
  state = program.init(statistics, keys)
  shape = num_folds, cases.STEPS, cases.BATCH
  order = np.random.default_rng(0).integers(0, _CLIPS, shape, np.int32)
  stacked = program.stack(keys)
  if vmapped:
    # Not `init`: its QR of several matrices runs on threads that the devices of
    # a CPU share and wait on, and was seen to wait for ever.
    with mock.patch.object(mesh_lib, 'go_together', lambda mesh: True):
      program = make_program()

  def train() -> None:
    nonlocal state
    state, _ = program.train_epoch(state, order, stacked)
    jax.block_until_ready(state)

  return train
