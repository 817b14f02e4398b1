"""launch/predict.py as its users run it."""

import json
import pathlib
import subprocess
import sys

import jax
import pytest

from avemotion.emotions import EMOTIONS
from avemotion.features import containers
from avemotion.synthetic import corpus
from avemotion.training import checkpoints, step
from avemotion.training.config import Config, ModelConfig

PREDICT = pathlib.Path(__file__).parents[2] / 'launch' / 'predict.py'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """An untrained audio model, a good clip, and a bad one."""
  folder = tmp_path_factory.mktemp('predict')
  config = Config(model=ModelConfig(modalities=('audio',), audio_features=8))
  feature_dims = {'audio': 40}
  classifier = step.make_classifier(config.model, 8)
  variables = classifier.init(
    jax.random.key(0), *step.sample_inputs(feature_dims)
  )
  checkpoints.save(
    folder,
    checkpoints.TrainedModel(variables, config, corpus.EMOTIONS, feature_dims),
  )
  corpus.make_clip(folder / 'good.mp4', 'calm', actor=1, seconds=1.0)
  (folder / 'bad.mp4').write_bytes(b'')
  return folder


def predict(folder, *arguments):
  return subprocess.run(
    [sys.executable, str(PREDICT), *arguments],
    cwd=folder,
    capture_output=True,
    text=True,
    check=False,
  )


def test_a_bad_clip_is_named_and_the_others_go_on(folder):
  ran = predict(
    folder, 'bad.mp4', 'good.mp4', '--checkpoint=.', '--json', '--plot'
  )
  assert ran.returncode == 1
  lines = ran.stdout.splitlines()
  assert len(lines) == 1
  assert json.loads(lines[0])['clip'] == 'good.mp4'
  assert 'bad.mp4: the file is empty' in ran.stderr
  assert 'Traceback' not in ran.stderr
  assert (folder / 'good.timeline.png').exists()


def test_clips_of_one_name_get_pictures_of_their_own(folder):
  (folder / 'other').mkdir()
  (folder / 'other' / 'good.mp4').write_bytes(
    (folder / 'good.mp4').read_bytes()
  )
  clips = ('good.mp4', 'other/good.mp4')
  ran = predict(folder, *clips, '--checkpoint=.', '--plot', '--plot_dir=drawn')
  assert ran.returncode == 0
  assert sorted(path.name for path in (folder / 'drawn').iterdir()) == [
    'good.timeline.2.png',
    'good.timeline.png',
  ]


def test_good_clips_print_a_table_and_nothing_else(folder):
  ran = predict(folder, 'good.mp4', '--checkpoint=.')
  assert ran.returncode == 0
  lines = ran.stdout.splitlines()
  assert len(lines) == 10
  assert lines[-1].startswith('  uncertain: ')
  assert '%' in ran.stdout
  assert ran.stderr == 'model: audio, trained on a fold of random10 in' + (
    ' ravdess/speech\n'
  )


def test_without_a_checkpoint_the_model_that_ships_listens(folder):
  ran = predict(folder, 'good.mp4', '--json')
  assert ran.returncode == 0
  assert 'model: audio, trained on everyone in ravdess/bundled' in ran.stderr
  prediction = json.loads(ran.stdout)
  assert prediction['modalities'] == ['audio']
  assert set(prediction['probabilities']) == set(EMOTIONS)


def test_explained_on_demand_in_words_and_in_json(folder):
  ran = predict(folder, 'good.mp4', '--checkpoint=.', '--explain')
  assert ran.returncode == 0
  assert '  why: audio ' in ran.stdout
  assert 'adds up' not in ran.stderr
  ran = predict(folder, 'good.mp4', '--checkpoint=.', '--explain', '--json')
  explained = json.loads(ran.stdout)['explanation']['modalities']
  assert set(explained) == {'audio'}


def test_annotated_on_demand(folder):
  ran = predict(
    folder, 'good.mp4', '--checkpoint=.', '--annotate=annotated.mp4'
  )
  assert ran.returncode == 0
  assert 'annotated: annotated.mp4' in ran.stderr
  assert containers.tracks(folder / 'annotated.mp4')[:2] == (True, True)


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['good.mp4', '--annotate=clip.gif'], 'ends in .mp4, .mov, .mkv'),
    (['good.mp4', 'a.mp4', '--annotate=b.mp4'], '--annotate is of one clip'),
    (['good.mp4', '--checkpoint=nowhere'], 'no such checkpoint directory'),
    (['--checkpoint=.'], 'name at least one clip'),
    (['good.mp4', '--checkpoint=none.npz'], 'none.npz: not a'),
    (['good.mp4', '--enrol=good.mp4'], 'was trained for strangers'),
    (
      ['good.mp4', '--checkpoint=.', '--plot', '--plot_dir=good.mp4'],
      'good.mp4',
    ),
  ],
)
def test_bad_arguments_are_told(folder, arguments, message):
  ran = predict(folder, *arguments)
  assert ran.returncode == 1
  assert message in ran.stdout + ran.stderr
  assert 'Traceback' not in ran.stderr
