"""launch/show.py as its users run it."""

import pathlib
import subprocess
import sys

import matplotlib.colors
import matplotlib.image
import numpy as np
import pytest

from avemotion.emotions import COLOURS
from avemotion.synthetic import corpus

SHOW = pathlib.Path(__file__).parents[2] / 'launch' / 'show.py'


def show(folder, *arguments):
  return subprocess.run(
    [sys.executable, str(SHOW), *arguments],
    cwd=folder,
    capture_output=True,
    text=True,
    check=False,
  )


def test_draws_a_clip(tmp_path):
  corpus.make_clip(tmp_path / 'clip.mp4', 'happy', actor=1, seconds=1.0)
  ran = show(tmp_path, 'clip.mp4', '--output=clip.png')
  assert ran.stdout == 'clip.png\n'
  # Faces above coefficients above loudness.
  image = matplotlib.image.imread(tmp_path / 'clip.png')
  assert image.shape[0] == pytest.approx(120 * 6.8, abs=2)
  # Sound alone has no faces.
  corpus.make_clip(tmp_path / 'sound.wav', 'happy', actor=1, seconds=1.0)
  ran = show(tmp_path, 'sound.wav', '--output=sound.png')
  assert (ran.returncode, ran.stdout) == (0, 'sound.png\n')
  assert 'sound.wav: no picture in the clip' in ran.stderr
  image = matplotlib.image.imread(tmp_path / 'sound.png')
  assert image.shape[0] == pytest.approx(120 * 5.6, abs=2)


def test_draws_a_dataset_of_any_labels(tmp_path):
  np.savez(
    tmp_path / 'clips.npz',
    audio=np.zeros((3, 5, 4), np.float32),
    audio_lengths=[5, 5, 2],
    labels=[0, 1, 1],
    actors=[7, 7, 9],
    clip_ids=['a', 'b', 'c'],
    label_names=['calm', 'bored'],
  )
  ran = show(tmp_path, 'clips.npz', '--output=counts.png')
  assert ran.returncode == 0, ran.stderr
  # A label that is no emotion of RAVDESS's has a colour of its own.
  image = matplotlib.image.imread(tmp_path / 'counts.png')[..., :3]
  for colour in (COLOURS['calm'], 'tab:orange'):
    far = np.abs(image - matplotlib.colors.to_rgb(colour)).max(axis=-1)
    assert (far < 0.02).sum() > 1000


@pytest.mark.parametrize(
  ('arguments', 'told'),
  [
    (['broken.mp4'], 'broken.mp4: the file is empty'),
    (['ravdess/song', '--data_dir=.'], 'ravdess/song: not prepared under'),
    (['missing.npz'], 'missing.npz'),
    (['missing.mp4'], 'missing.mp4: no such file'),
    ([], 'name one dataset, or one clip'),
  ],
)
def test_says_what_is_wrong(tmp_path, arguments, told):
  (tmp_path / 'broken.mp4').write_bytes(b'')
  ran = show(tmp_path, *arguments)
  assert ran.returncode == 1
  assert told in ran.stderr + ran.stdout
  assert 'Traceback' not in ran.stderr
  assert not list(tmp_path.glob('*.png'))
