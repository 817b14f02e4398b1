"""Tests of `avemotion CLIP…`."""

import json
import os
import signal

import jax
import pytest

from avemotion.apps import commands
from avemotion.apps.commands import predict
from avemotion.emotions import EMOTIONS
from avemotion.features import containers, landmark_detector
from avemotion.synthetic import corpus
from avemotion.training import checkpoints, network
from avemotion.training.config import AudioConfig, Config, ModelConfig
from avemotion.training.trained_model import TrainedModel


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Writes an untrained audio model, a good clip, and a bad one."""
  folder = tmp_path_factory.mktemp('predict')
  config = Config(
    model=ModelConfig(modalities=('audio',), audio=AudioConfig(features=8))
  )
  feature_dims = {'audio': 40}
  classifier = network.make_classifier(config.model, 8)
  variables = classifier.init(
    jax.random.key(0), *network.sample_inputs(feature_dims)
  )
  checkpoints.save(
    folder,
    TrainedModel(variables, config, corpus.EMOTIONS, feature_dims),
  )
  corpus.make_clip(folder / 'good.mp4', 'calm', actor=1, seconds=1.0)
  (folder / 'bad.mp4').write_bytes(b'')
  return folder


@pytest.fixture(autouse=True)
def _in_folder(folder, monkeypatch):
  monkeypatch.chdir(folder)


def test_a_bad_clip_is_named_and_the_others_go_on(folder, capsys):
  arguments = ['bad.mp4', 'good.mp4', '--checkpoint=.', '--json', '--plot']
  assert predict.main(arguments) == 1
  printed = capsys.readouterr()
  (line,) = printed.out.splitlines()
  assert json.loads(line)['clip'] == 'good.mp4'
  assert 'avemotion predict: bad.mp4: the file is empty' in printed.err
  assert (folder / 'good.timeline.png').exists()


def crash(model, clip, **_):
  if clip == 'crash.mp4':
    os.kill(os.getpid(), signal.SIGSEGV)
  return [model.predict(clip)]


def test_a_clip_that_crashes_its_decoder_is_named_and_the_others_go_on(
  monkeypatch, capsys
):
  monkeypatch.setattr(predict, '_predict', crash)
  clips = ['good.mp4', 'crash.mp4', 'good.mp4']
  assert predict.main([*clips, '--checkpoint=.', '--json']) == 1
  printed = capsys.readouterr()
  assert [json.loads(line)['clip'] for line in printed.out.splitlines()] == [
    'good.mp4',
    'good.mp4',
  ]
  assert (
    'crash.mp4: the process that decodes the clip ended by SIGS' in printed.err
  )


def test_clips_of_one_name_get_pictures_of_their_own(folder):
  (folder / 'other').mkdir()
  (folder / 'other' / 'good.mp4').write_bytes(
    (folder / 'good.mp4').read_bytes()
  )
  clips = ['good.mp4', 'other/good.mp4']
  drawn = ['--checkpoint=.', '--plot', '--plot_dir=drawn']
  assert predict.main([*clips, *drawn]) == 0
  assert sorted(path.name for path in (folder / 'drawn').iterdir()) == [
    'good.timeline.2.png',
    'good.timeline.png',
  ]


def test_good_clips_print_a_table_and_nothing_else(capsys):
  assert predict.main(['good.mp4', '--checkpoint=.']) == 0
  printed = capsys.readouterr()
  lines = printed.out.splitlines()
  assert len(lines) == 10
  assert lines[-1].startswith('  uncertain: ')
  assert '%' in printed.out
  assert printed.err == (
    'model: audio (MFCC), trained on a fold of random10 in ravdess/speech\n'
  )


@pytest.mark.parametrize('word', [[], ['predict']])
def test_without_a_checkpoint_the_model_that_ships_sees_and_listens(
  word, capsys
):
  assert commands.main([*word, 'good.mp4', '--json']) == 0
  printed = capsys.readouterr()
  assert 'trained on 24 North American and 9 Polish actors' in printed.err
  prediction = json.loads(printed.out)
  faces = ['video'] * landmark_detector.is_installed()
  assert prediction['modalities'] == [*faces, 'audio']
  assert set(prediction['probabilities']) == set(EMOTIONS)


def test_explained_on_demand_in_words_and_in_json(capsys):
  explained = ['good.mp4', '--checkpoint=.', '--explain']
  assert predict.main(explained) == 0
  printed = capsys.readouterr()
  assert '  why: audio ' in printed.out
  assert 'adds up' not in printed.err
  assert predict.main([*explained, '--json']) == 0
  (line,) = capsys.readouterr().out.splitlines()
  assert set(json.loads(line)['explanation']['modalities']) == {'audio'}


def test_annotated_on_demand(folder, capsys):
  wanted = ['good.mp4', '--checkpoint=.', '--annotate=annotated.mp4']
  assert predict.main(wanted) == 0
  assert 'annotated: annotated.mp4' in capsys.readouterr().err
  assert containers.contents(folder / 'annotated.mp4')[:2] == ((0,), (0,))


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['good.mp4', '--annotate=clip.gif'], 'ends in .mp4 or .mov or .mkv'),
    (['good.mp4', 'a.mp4', '--annotate=b.mp4'], '--annotate expects one clip'),
    (['good.mp4', '--checkpoint=nowhere'], 'no such checkpoint directory'),
    (['--checkpoint=.'], 'expected at least one clip'),
    (['good.mp4', '--audio_track=2'], 'one of its 1 audio tracks'),
    (['good.mp4', '--video_track=0'], 'video_track'),
    (['good.mp4', '--checkpoint=none.npz'], 'none.npz: expected a model'),
    (['good.mp4', '--enrol=bad.mp4'], 'bad.mp4: the file is empty'),
    (['good.mp4', '--checkpoint=.', '--plot', '--plot_dir=good.mp4'], 'good'),
  ],
)
def test_bad_arguments_are_told(arguments, message, capsys):
  assert predict.main(arguments) == 1
  *_, line = capsys.readouterr().err.splitlines()
  assert line.startswith('avemotion predict: ')
  assert message in line
