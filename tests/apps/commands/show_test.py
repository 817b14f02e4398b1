"""Tests of `avemotion show`."""

import matplotlib.colors
import matplotlib.image
import numpy as np
import pytest

from avemotion.apps.commands import show
from avemotion.emotions import COLOURS
from avemotion.synthetic import corpus


@pytest.fixture(autouse=True)
def _in_folder(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)


def test_draws_a_clip(capsys):
  corpus.make_clip('clip.mp4', 'happy', actor=1, seconds=1.0)
  assert show.main(['clip.mp4', '--output=clip.png']) == 0
  assert capsys.readouterr().out == 'clip.png\n'
  with_faces = matplotlib.image.imread('clip.png')
  # Without video there are no faces.
  corpus.make_clip('sound.wav', 'happy', actor=1, seconds=1.0)
  assert show.main(['sound.wav', '--output=sound.png']) == 0
  printed = capsys.readouterr()
  assert printed.out == 'sound.png\n'
  assert 'sound.wav: no picture in the clip' in printed.err
  without = matplotlib.image.imread('sound.png')
  assert len(without) < len(with_faces) - 100


def test_draws_a_dataset_of_any_labels():
  np.savez(
    'clips.npz',
    audio=np.zeros((3, 5, 4), np.float32),
    audio_lengths=[5, 5, 2],
    labels=[0, 1, 1],
    actors=[7, 7, 9],
    clip_ids=['a', 'b', 'c'],
    label_names=['calm', 'bored'],
  )
  assert show.main(['clips.npz', '--output=counts.png']) == 0
  # A label outside RAVDESS has another colour.
  image = matplotlib.image.imread('counts.png')[..., :3]
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
    ([], 'expected one data set or clip, got 0'),
  ],
)
def test_says_what_is_wrong(tmp_path, arguments, told, capsys):
  (tmp_path / 'broken.mp4').write_bytes(b'')
  assert show.main(arguments) == 1
  assert told in capsys.readouterr().err
  assert not list(tmp_path.glob('*.png'))
