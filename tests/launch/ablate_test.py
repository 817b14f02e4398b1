"""launch/ablate.py as its users run it."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[2]
ROWS = """
import dataclasses
from avemotion.training.config import Config, DataConfig, ModelConfig

def get_rows():
  ours = Config(
    data=DataConfig(dataset='features.npz'),
    model=ModelConfig(
      modalities=('audio',), audio_features=4, audio_layers=1
    ),
    epochs=2,
    batch_size=8,
  )
  model = dataclasses.replace(ours.model, batch_norm=False)
  return {'ours, plain': dataclasses.replace(ours, model=model), 'ours': ours}
"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Rows of two models, and clips of 24 actors."""
  folder = tmp_path_factory.mktemp('ablate')
  (folder / 'rows.py').write_text(ROWS)
  rng = np.random.default_rng(0)
  labels = np.tile([0, 1], 24)
  np.savez(
    folder / 'features.npz',
    audio=rng.standard_normal((48, 3, 13)) + labels[:, None, None],
    audio_lengths=np.full(48, 3),
    labels=labels,
    actors=np.repeat(np.arange(24) + 1, 2),
    clip_ids=np.array([f'clip_{i:02}' for i in range(48)]),
    label_names=np.array(['calm', 'angry']),
  )
  return folder


def ablate(folder, *arguments):
  return subprocess.run(
    [
      sys.executable,
      str(ROOT / 'launch' / 'ablate.py'),
      '--rows=rows.py',
      '--workdir=runs',
      *arguments,
    ],
    cwd=folder,
    capture_output=True,
    text=True,
    check=False,
  )


def test_rows_are_trained_with_their_seeds_and_compared(folder):
  ran = ablate(folder, '--protocols=random10,actor5', '--seeds=2')
  assert ran.returncode == 0, ran.stderr
  assert '| ours, plain' in ran.stdout
  found = sorted(
    str(path.relative_to(folder / 'runs'))
    for path in (folder / 'runs').glob('*/*/seed_*')
  )
  assert found == [
    'ours/actor5/seed_0',
    'ours/actor5/seed_1',
    'ours/random10/seed_0',
    'ours_plain/actor5/seed_0',
    'ours_plain/actor5/seed_1',
    'ours_plain/random10/seed_0',
  ]
  for name in ('ablation.md', 'ablation.png', 'confusion_ours_actor5.png'):
    assert (folder / 'runs' / name).stat().st_size


def test_finished_runs_are_compared_without_training(folder):
  def finished_only(*arguments):
    return ablate(
      folder, '--workdir=half', '--protocols=actor5', '--seeds=2', *arguments
    )

  nothing = finished_only('--finished_only')
  assert nothing.returncode == 1
  assert 'no run of these rows is finished' in nothing.stderr
  trained = finished_only('--only=ours', '--seeds=1')
  assert trained.returncode == 0, trained.stderr
  compared = finished_only('--finished_only')
  assert compared.returncode == 0, compared.stderr
  found = [path.name for path in (folder / 'half').glob('*/*/seed_*')]
  assert found == ['seed_0']
  assert '| ours' in compared.stdout
  assert '| ours, plain' not in compared.stdout
  assert 'seed_1: not finished' in compared.stdout
  refused = finished_only('--finished_only', '--record=key')
  assert refused.returncode == 1
  assert 'of which 1 of 2 seeds are finished under actor5' in refused.stderr
  other = finished_only('--finished_only', '--config.epochs=3')
  assert other.returncode == 1
  assert 'epochs: 2 there, 3 now' in other.stderr


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['--rows=none.py'], 'no configuration file none.py'),
    (['--only=mine'], 'no row mine; there are ours, plain, ours'),
    (['--record=key', '--only=ours, plain'], "of the row 'ours'"),
    (['--protocols=random11'], "no protocol 'random11'"),
    (['--protocols=everyone'], 'everyone: tests nobody'),
    (['--config.seed=3'], 'seed: set by --seeds'),
    (['--config.epochs=0'], 'epochs must be 1 or more'),
  ],
)
def test_bad_input_is_one_clear_line(folder, arguments, message):
  ran = ablate(folder, *arguments)
  assert ran.returncode == 1
  assert message in ran.stderr
  assert 'Traceback' not in ran.stderr
