"""Times training steps of one fold and of ten: ours, Keras, PyTorch."""

from collections.abc import Iterator

import jax
import numpy as np

from avemotion.data.clips import ClipSet
from avemotion.data.folds import Fold
from avemotion.training import config as config_lib
from avemotion.training import devices
from avemotion.training.program import FoldProgram
from launch.benchmark import cases, contest, layers
from launch.benchmark.figures import record, record_speed

_APART = f'{contest.OURS}, ten runs of one fold'
_FUSION, _AUDIO = (
  f'{name} model, batch {cases.BATCH}, {cases.STEPS} steps'
  for name in ('fusion', 'audio')
)
_MODELS = {_FUSION: ('video', 'audio'), _AUDIO: ('audio',)}
_FOLDS = f'{cases.NUM_FOLDS} folds, {cases.STEPS} steps of each'
_CLIPS = 1440


def steps(_: list[str]) -> None:
  """Records peers' seconds over ours, for steps of the fusion model."""
  held = contest.run((contest.OURS, *contest.PEERS.values()), _steps)
  contest.record_over('train_step', held[_FUSION], contest.PEERS)
  # Of the recurrent layers, which have nearly all products.
  rate = sum(case.flops for case in cases.MODEL) / held[_FUSION][contest.OURS]
  share = rate / layers.product_rate(held)
  unit = 'fraction of the product rate'
  record_speed('train_step.share_of_matmul', share, unit)


def _steps(contender: str) -> Iterator[tuple[str, contest.Call]]:
  if contender == contest.OURS:
    devices.start()
    yield layers.MATMUL, layers.matmul()
  for case, modalities in _MODELS.items():
    yield case, _call(contender, modalities, 1)


def crossval(_: list[str]) -> None:
  """Records ten folds in one program relative to ten runs, and to PyTorch."""
  seconds = contest.run(
    (contest.OURS, _APART, contest.TORCH),
    lambda who: [(_FOLDS, _call(who, ('audio',), cases.NUM_FOLDS))],
  )[_FOLDS]
  contest.record_over('crossval_epoch', seconds, {'torch': contest.TORCH})
  share = seconds[contest.OURS] / seconds[_APART]
  record('crossval.ten_folds_over_ten_runs', share, 'ratio of wall time')


def _call(
  contender: str, modalities: tuple[str, ...], num_folds: int
) -> contest.Call:
  if contender in (contest.TORCH, contest.TORCH_COMPILED):
    from launch.benchmark import peer_torch

    compiled = contender == contest.TORCH_COMPILED
    return peer_torch.training(modalities, num_folds, compiled)
  if contender in (contest.KERAS, contest.KERAS_AFTER):
    from launch.benchmark import peer_keras

    return peer_keras.training(modalities, contender == contest.KERAS_AFTER)
  if contender == _APART:
    one = ours(modalities, 1)
    return lambda: [one() for _ in range(num_folds)]
  return ours(modalities, num_folds)


def ours(modalities: tuple[str, ...], num_folds: int) -> contest.Call:
  """Makes a call that trains folds for some steps, as `avemotion train`."""
  devices.start()
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
  none = np.arange(0)
  fold = Fold(np.arange(cases.STEPS * cases.BATCH), none, none)
  config = config_lib.Config(model=config_lib.ModelConfig(modalities))
  program = FoldProgram(config, clips, [fold] * num_folds, range(num_folds))
  state = program.init()

  def train() -> None:
    nonlocal state
    state, _ = program.train_epoch(state, epoch=0)
    jax.block_until_ready(state)

  return train
