"""Contenders that print what they are told to."""

import json
import sys

import pytest

from avemotion.training.config import Config
from launch.benchmark import cases, contest

# Ours takes 2, 3 and 4 ms; the peer twice that; a third is not installed.
SCRIPT = """
import json, sys
name = sys.argv[-1].removeprefix('--contender=')
if name == 'absent':
  import absent
if name == 'broken':
  sys.exit('it broke')
times = 1 if name == 'ours' else 2
found = {'case': [times * s for s in (0.002, 0.003, 0.004)]}
if name == 'ours':
  found['matrix product'] = [0.01]
print('a library prints this')
print(json.dumps(found))
"""


def hold(*contenders):
  command = [sys.executable, '-c', SCRIPT]
  return contest.hold('A title', command, contenders, {'case': 3e9}, rounds=2)


@pytest.fixture(name='held')
def _held():
  return hold('ours', 'peer')


def test_medians_ratios_and_share_of_the_limit(held):
  assert held.seconds == {'case': {'ours': 0.003, 'peer': 0.006}}
  assert held.over('case', 'peer') == pytest.approx(2)
  limit = 2 * 2048**3 / 0.01
  assert held.limit == pytest.approx(limit)
  assert held.share('case') == pytest.approx(3e9 / 0.003 / limit)


def test_who_is_not_installed_is_named_and_left_out(capfd):
  assert set(hold('ours', 'absent').seconds['case']) == {'ours'}
  told = "without absent: ModuleNotFoundError: No module named 'absent'"
  assert capfd.readouterr().err.count(told) == 2


def test_who_fails_ends_it():
  with pytest.raises(RuntimeError, match='broken failed: it broke'):
    hold('ours', 'broken')


def test_it_is_written_and_drawn(held, tmp_path):
  held.save(tmp_path / 'new' / 'case')
  written = json.loads((tmp_path / 'new' / 'case.json').read_text())
  assert written['seconds'] == held.seconds
  assert (tmp_path / 'new' / 'case.png').read_bytes().startswith(b'\x89PNG')
  assert '| peer | 6.0 | 2.00 × |' in ' '.join(str(held).split())


def test_cores_are_devices_of_whom_they_are_said_to_be():
  names = ['ours', 'ours, batch whole', 'Flax', 'Flax, batch divided']
  divided = [contest.divides(name) for name in names]
  assert divided == [True, False, False, True]


def test_peers_train_what_a_configuration_says():
  config = Config()
  assert config.batch_size == cases.BATCH
  assert config.model.dropout_rate == cases.DROPOUT_RATE
  assert config.model.dense_features == cases.DENSE
  assert config.model.audio_layers == cases.AUDIO_LAYERS
  assert config.model.audio_features == cases.AUDIO_FEATURES
  assert config.model.video_features == cases.VIDEO_FEATURES
  assert cases.SHAPES['audio'][1] == config.model.audio_coefficients
  assert config.optimizer.learning_rate == cases.LEARNING_RATE
  assert config.optimizer.label_smoothing == cases.LABEL_SMOOTHING
  assert config.optimizer.weight_decay == cases.WEIGHT_DECAY
  assert config.optimizer.clip_norm == cases.CLIP_NORM


def test_flops_are_those_of_the_matrices():
  """Two layers of two units, three steps, one sequence of five inputs."""
  case = cases.Recurrent(2, 2, time=3, inputs=5, batch=1, train=False)
  products = 3 * 2 * (5 + 2) + 3 * 2 * (2 + 2)
  assert case.flops == 2 * products * 3 * cases.STEPS
