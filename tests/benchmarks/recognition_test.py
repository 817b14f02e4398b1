"""What is measured is what it is called."""

import jax
import pytest

from avemotion.benchmarks import recognition
from avemotion.training import checkpoints, step
from avemotion.training.config import Config, ModelConfig
from tfds_ravdess import synthetic


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """An untrained model of voices, and a clip."""
  folder = tmp_path_factory.mktemp('recognition')
  config = Config(model=ModelConfig(modalities=('audio',), audio_features=8))
  widths = {'audio': 40}
  classifier = step.make_classifier(config.model, 8)
  variables = classifier.init(jax.random.key(0), *step.sample_inputs(widths))
  checkpoints.save(
    folder,
    checkpoints.TrainedModel(variables, config, synthetic.EMOTIONS, widths),
  )
  for name in ('clip.mp4', 'sound.wav'):
    synthetic.make_clip(folder / name, 'calm', actor=1, seconds=1.0)
  return folder


def test_each_contender_takes_its_time(folder):
  pytest.importorskip('tensorflow')
  warm = recognition.warm(folder, folder / 'clip.mp4', folder / 'sound.wav', 1)
  # It decodes no picture, and predicts no crops.
  assert 0 < warm.recognizer < warm.usual_chain
  assert 0 < warm.decoding < warm.usual_chain


def test_a_new_process_holds_jax_at_least(folder):
  ran = recognition.new_process(folder, folder / 'clip.mp4', 1)
  assert 0.2 < ran.seconds < 60
  assert 100e6 < ran.resident_bytes < 3e9


def test_our_models_import_flax():
  assert recognition.import_ratio(1) > 0.5
