"""launch/javanese.py: names, failures that leave the others be, real clips."""

import pathlib
import runpy
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest
from absl import flags

from avemotion.data.clips import ClipSet
from avemotion.features.clip import ClipError, ClipFeatures

SCRIPT = pathlib.Path(__file__).parents[2] / 'launch' / 'javanese.py'


@pytest.fixture(scope='module')
def script():
  """Its functions; scripts name flags alike, so its own go again."""
  before = set(flags.FLAGS)
  yield types.SimpleNamespace(**runpy.run_path(str(SCRIPT)))
  for name in set(flags.FLAGS) - before:
    delattr(flags.FLAGS, name)


def rows(steps, width):
  return np.ones((steps, width), np.float32)


@pytest.mark.parametrize(
  ('clip_id', 'actor', 'emotion'),
  [('01-01-01_01', 1, 'neutral'), ('10-04-06_01', 10, 'angry')],
)
def test_a_name_tells_actor_and_emotion(script, clip_id, actor, emotion):
  told, label = script.actor_and_label(clip_id)
  assert (told, script.EMOTIONS[label]) == (actor, emotion)


@pytest.mark.parametrize('clip_id', ['01-01-07_01', '01-01-00_01', 'holiday'])
def test_other_names_are_told(script, clip_id):
  with pytest.raises(ValueError, match=f'{clip_id}: expected AA-SS-EE_01'):
    script.actor_and_label(clip_id)


def test_a_clip_that_fails_is_named_and_the_others_go_on(script, capsys):
  def extractor(path):
    if path.stem == '02-01-03_01':
      raise ClipError(f'{path}: the file is empty')
    return ClipFeatures(1.0, ('a face in only 20% of the frames',))

  names = ('01-01-03_01', '02-01-03_01', 'holiday', '03-01-03_01')
  paths = [pathlib.Path(f'{name}.mp4') for name in names]
  features, problems = script.extract(paths, extractor)
  assert list(features) == ['01-01-03_01', '03-01-03_01']
  assert [problem.partition(':')[0] for problem in problems] == [
    '01-01-03_01.mp4',
    'left out',
    'left out',
    '03-01-03_01.mp4',
  ]
  assert 'left out: 02-01-03_01.mp4: the file is empty' in problems
  assert capsys.readouterr().err.startswith('4/4 clips')


def test_clips_become_a_data_set(script):
  clips = script.to_clip_set(
    {
      '02-01-06_01': ClipFeatures(1.0, video=rows(3, 512), audio=rows(2, 40)),
      '01-03-02_01': ClipFeatures(1.0, audio=rows(4, 40)),
    }
  )
  assert clips.clip_ids.tolist() == ['01-03-02_01', '02-01-06_01']
  assert clips.actors.tolist() == [1, 2]
  assert [clips.label_names[label] for label in clips.labels] == [
    'sad',
    'angry',
  ]
  assert clips.lengths['video'].tolist() == [0, 3]
  assert clips.lengths['audio'].tolist() == [4, 2]
  assert clips.sources['video'].startswith('VGG16')


def run(*arguments):
  return subprocess.run(
    [sys.executable, str(SCRIPT), *arguments],
    capture_output=True,
    text=True,
    check=False,
  )


def test_a_folder_without_clips_is_one_clear_line(tmp_path):
  ran = run(f'--clips={tmp_path}', f'--output={tmp_path}/out.npz')
  assert ran.returncode == 1
  (line,) = ran.stderr.strip().splitlines()
  assert 'has no clip AA-SS-EE_01.mp4 that can be used' in line
  assert not (tmp_path / 'out.npz').exists()


def test_real_clips_are_extracted(shared, tmp_path):
  if not (shared / 'javanese').is_dir():
    pytest.skip('no ../shared/javanese beside the repository')
  for name in ('01-01-03_01.mp4', '02-01-06_01.mp4'):
    shutil.copy(shared / 'javanese' / name, tmp_path)
  (tmp_path / '03-01-01_01.mp4').write_bytes(b'')
  ran = run(f'--clips={tmp_path}', f'--output={tmp_path}/out.npz')
  assert ran.returncode == 1
  assert '03-01-01_01.mp4: the file is empty' in ran.stderr
  assert 'Traceback' not in ran.stderr
  assert 'out.npz: 2 clips' in ran.stdout
  clips = ClipSet.from_npz(tmp_path / 'out.npz')
  assert clips.widths == {'video': 512, 'audio': 40}
  assert clips.lengths['video'].min() > 5
