"""What is measured is what it is called."""

import jax
import pytest

from avemotion.synthetic import corpus
from avemotion.training import checkpoints, step
from avemotion.training.config import Config, ModelConfig
from launch.benchmark import contest, recognition


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """An untrained model of voices, and a clip."""
  folder = tmp_path_factory.mktemp('recognition')
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
  for name in ('clip.mp4', 'sound.wav'):
    corpus.make_clip(folder / name, 'calm', actor=1, seconds=1.0)
  return folder


def test_each_contender_takes_its_time(folder):
  pytest.importorskip('tensorflow')
  held = recognition.warm(folder, folder / 'clip.mp4', folder / 'sound.wav', 1)
  seconds = held.seconds[recognition.CASE]
  # The model of voices decodes no picture, and predicts no crops.
  assert 0 < seconds[contest.OURS] < seconds[recognition.USUAL_CHAIN]
  assert 0 < seconds[recognition.DECODING] < seconds[recognition.USUAL_CHAIN]


def test_a_new_process_holds_jax_at_least(folder):
  ran = recognition.new_process(folder, folder / 'clip.mp4', 1)
  assert 0.2 < ran.seconds < 60
  assert 100e6 < ran.resident_bytes < 3e9


def test_our_models_import_flax():
  ours, flax = recognition.import_seconds(1)
  assert ours > 0.5 * flax > 0
