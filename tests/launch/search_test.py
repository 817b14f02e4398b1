"""launch/search.py as its users run it."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope='module')
def features(tmp_path_factory):
  """Of each label and actor a clip."""
  path = tmp_path_factory.mktemp('data') / 'features.npz'
  rng = np.random.default_rng(0)
  labels = np.tile([0, 1], 24)
  np.savez(
    path,
    audio=(rng.standard_normal((48, 3, 13)) + 2 * labels[:, None, None]).astype(
      np.float32
    ),
    audio_lengths=np.full(48, 3),
    labels=labels,
    actors=np.repeat(np.arange(24) + 1, 2),
    clip_ids=np.array([f'clip_{i:02}' for i in range(48)]),
    label_names=np.array(['calm', 'angry']),
  )
  return path


def search(features, workdir, *candidates, protocol='actor5'):
  return subprocess.run(
    [
      sys.executable,
      str(ROOT / 'launch' / 'search.py'),
      f'--config={ROOT}/launch/configs/audio.py',
      f'--workdir={workdir}',
      f'--log={workdir}/log.jsonl',
      f'--config.data.dataset={features}',
      f'--config.data.protocol={protocol}',
      '--config.epochs=2',
      '--config.batch_size=8',
      '--config.model.audio_features=4',
      *candidates,
    ],
    capture_output=True,
    text=True,
    check=False,
  )


def test_candidates_are_scored_on_validation_clips_and_logged(
  features, tmp_path
):
  candidates = ('', 'augment.audio.noise=0.1 optimizer.learning_rate=1e-2')
  ran = search(features, tmp_path, *candidates)
  assert ran.returncode == 0, ran.stderr
  assert '(as configured)' in ran.stdout
  lines = (tmp_path / 'log.jsonl').read_text().splitlines()
  rows = [json.loads(line) for line in lines]
  assert [row['candidate'] for row in rows] == list(candidates)
  assert all(0 <= row['uar'] <= 1 for row in rows)
  assert len(rows[0]['uar_of_folds']) == 5
  (result,) = (tmp_path / 'actor5' / 'as_configured').glob('fold_0/result.json')
  summary = json.loads(result.read_text())
  assert summary['scored'] == 'validation'
  # Two validation actors of fold 0, 3 and 6, and no test actor.
  predictions = (result.parent / 'predictions.csv').read_text().splitlines()
  assert {line.split(',')[1] for line in predictions[1:]} == {'3', '6'}
  again = search(features, tmp_path, *candidates)
  assert again.returncode == 0
  assert (tmp_path / 'log.jsonl').read_text().splitlines() == lines
  report = subprocess.run(
    [
      sys.executable,
      str(ROOT / 'launch' / 'report.py'),
      str(tmp_path / 'actor5' / 'as_configured'),
    ],
    capture_output=True,
    text=True,
    check=False,
  )
  assert report.returncode == 1
  assert 'validation clips' in report.stderr


@pytest.mark.parametrize(
  ('candidates', 'protocol', 'message'),
  [
    ((), 'actor5', "name candidates, or ''"),
    (('epochs',), 'actor5', 'write KEY=VALUE'),
    (('optimizer.lr=1',), 'actor5', "no configuration key 'optimizer.lr'"),
    (('',), 'random10', 'no validation clips to score'),
    (('data.validation=kept',), 'actor5', 'data.validation is always scored'),
    (('', 'data.dataset=other.npz'), 'actor5', 'and name several: '),
  ],
)
def test_bad_input_is_told(features, tmp_path, candidates, protocol, message):
  ran = search(features, tmp_path, *candidates, protocol=protocol)
  assert ran.returncode == 1
  assert message in ran.stdout + ran.stderr
  assert 'Traceback' not in ran.stderr
  assert not (tmp_path / 'log.jsonl').exists()
