"""Tests of `avemotion robustness`."""

import numpy as np
import pytest

from avemotion.apps.commands import robustness
from avemotion.data.clips import ClipSet, pad
from avemotion.features.acoustic import mfcc
from avemotion.features.media import read_waveform
from avemotion.synthetic import corpus
from avemotion.training import crossval
from avemotion.training.config import (
  AudioConfig,
  Config,
  DataConfig,
  ModelConfig,
  VideoConfig,
)

LABELS = ('calm', 'angry')
PATTERN = '{modality}-{channel}-{label}-{intensity}-{statement}-{take}-{group}'


def train(workdir, clips):
  config = Config(
    data=DataConfig(protocol='random80'),
    model=ModelConfig(
      modalities=tuple(clips.features),
      video=VideoConfig(features=4),
      audio=AudioConfig(features=4, num_layers=1),
      dense_features=8,
    ),
    epochs=2,
    batch_size=4,
  )
  crossval.train(config, clips, workdir)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Writes ten recordings in `voices`, and runs of one and two modalities."""
  folder = tmp_path_factory.mktemp('robustness')
  names, labels, rows = [], [], []
  (folder / 'voices').mkdir()
  for actor in range(1, 6):
    for label, emotion in enumerate(LABELS):
      number = {'calm': 2, 'angry': 5}[emotion]
      name = f'03-01-{number:02d}-01-01-01-{actor:02d}'
      path = folder / 'voices' / f'{name}.wav'
      corpus.make_clip(path, emotion, actor, seconds=0.6)
      names.append(name)
      labels.append(label)
      rows.append(mfcc(read_waveform(path)))
  audio, lengths = pad(rows)
  rng = np.random.default_rng(0)
  video = rng.standard_normal((10, 5, 6)).astype(np.float32)
  both = ClipSet(
    features={'video': video, 'audio': audio},
    lengths={'video': np.full(10, 5, np.int32), 'audio': lengths},
    labels=np.array(labels, np.int32),
    actors=np.repeat(np.arange(5, dtype=np.int32) + 1, 2),
    clip_ids=np.array(names),
    label_names=LABELS,
  )
  (folder / 'others').mkdir()
  (folder / 'others' / '03-calm.wav').touch()
  both.to_npz(folder / 'both.npz')
  both = ClipSet.from_npz(folder / 'both.npz')  # in the order of ids
  train(folder / 'heard', both.select(('audio',)))
  train(folder / 'both', both)
  return folder


def scored_ids(folder):
  """Returns the ids of the runs' test clips."""
  lines = (folder / 'heard/fold_0/predictions.csv').read_text().splitlines()
  return [line.split(',')[0] for line in lines[1:]]


@pytest.fixture(autouse=True)
def _in_folder(folder, monkeypatch):
  monkeypatch.chdir(folder)


@pytest.mark.slow
def test_runs_are_compared_under_each_condition(folder, capsys):
  arguments = [
    *('paper=heard', 'ours=both', '--recordings=voices'),
    *('--features=both.npz', '--output=out/audio.1'),
  ]
  assert robustness.main(arguments) == 0
  printed = capsys.readouterr()
  assert '2/2 clips' in printed.err
  text = (folder / 'out' / 'audio.1.md').read_text()
  assert text in printed.out
  assert 'avemotion robustness paper=heard ours=both' in text
  cells = {
    row[0]: row[1:]
    for row in (
      [cell.strip() for cell in line.split('|')[1:-1]]
      for line in text.splitlines()
      if line.startswith('|')
    )
  }
  assert all(cells['clean'][place] for place in (0, 2, 3, 5))
  assert all(cells['white noise, 10 dB'])
  assert cells['30 % of frames dropped'][:3] == ['', '', '']
  assert all(cells['30 % of frames dropped'][3:])
  assert 'low light, −4 stops' not in cells
  png = (folder / 'out' / 'audio.1.png').read_bytes()
  assert png.startswith(b'\x89PNG')
  # Stored predictions and those for clean clips are equal.
  (line,) = [line for line in text.splitlines() if line.startswith('`paper`')]
  assert 'random80, 1 fold' in line
  assert cells['clean'][0] in line


@pytest.mark.slow
def test_a_broken_recording_is_named_and_the_others_go_on(folder, capsys):
  path = folder / 'voices' / f'{scored_ids(folder)[0]}.wav'
  whole = path.read_bytes()
  path.write_bytes(b'')
  try:
    code = robustness.main(
      ['ours=heard', '--recordings=voices', '--output=out/broken']
    )
  finally:
    path.write_bytes(whole)
  assert code == 1
  assert f'{path.name}: the file is empty' in capsys.readouterr().err
  text = (folder / 'out' / 'broken.md').read_text()
  assert 'Of 1 clips' in text
  assert path.name in text


@pytest.mark.slow
def test_clips_with_pixels_are_darkened_and_blurred(
  folder, tmp_path, monkeypatch, capsys
):
  """Checks a run on drawn faces, with ids from the pattern."""
  for name in scored_ids(folder):
    emotion = LABELS[name.startswith('03-01-05')]
    path = tmp_path / f'{name}.mp4'
    corpus.make_clip(path, emotion, int(name[-2:]), seconds=0.6)
  clips = ClipSet.from_npz(folder / 'both.npz')
  video = np.zeros((10, 5, 512), np.float32)
  seen = ClipSet(
    features={'video': video},
    lengths={'video': clips.lengths['video']},
    labels=clips.labels,
    actors=clips.actors,
    clip_ids=clips.clip_ids,
    label_names=LABELS,
  )
  train(tmp_path / 'seen', seen)
  monkeypatch.chdir(tmp_path)
  arguments = [
    *('ours=seen', '--folder=.', f'--pattern={PATTERN}'),
    *('--label_map=02=calm,05=angry', '--output=pixels'),
  ]
  assert robustness.main(arguments) == 0
  printed = capsys.readouterr().out
  assert '| blur, 1 % of the height ' in printed
  assert '| half of the picture hidden ' in printed
  assert 'noise' not in printed
  assert (tmp_path / 'pixels.png').stat().st_size


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['--recordings=voices'], 'expected at least one run'),
    (['heard', '--recordings=voices'], 'expected NAME=WORKDIR'),
    (['a=heard', 'a=both', '--recordings=voices'], 'each name once'),
    (['a=heard'], 'expected --recordings'),
    (['a=heard', '--folder=voices'], 'expected --recordings'),
    (['a=heard', '--recordings=voices', '--pattern=x'], 'expected --record'),
    (['a=gone', '--recordings=voices'], 'gone: no such directory'),
    (['a=heard', '--recordings=gone'], 'at any depth, got gone'),
    (['a=both', '--recordings=voices'], 'add its features with --features'),
    (
      ['a=both', '--recordings=voices', '--features=no.npz'],
      'no.npz: expected a readable .npz',
    ),
    (
      ['a=heard', '--folder=others', '--pattern={group}-{label}'],
      'test clips, but 2 are missing: 03-01-',
    ),
  ],
)
def test_bad_input_is_one_line(arguments, message, capsys):
  assert robustness.main(arguments) == 1
  (line,) = capsys.readouterr().err.strip().splitlines()
  assert line.startswith('avemotion robustness: ')
  assert message in line
