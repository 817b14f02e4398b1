"""Tests of contests, with contenders that print fixed seconds."""

import sys

import pytest

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
  return contest.hold([sys.executable, '-c', SCRIPT], contenders, rounds=2)


@pytest.mark.slow
def test_medians_are_over_rounds():
  assert hold('ours', 'peer') == {
    'case': {'ours': 0.003, 'peer': 0.006},
    'matrix product': {'ours': 0.01},
  }


@pytest.mark.slow
def test_who_is_not_installed_is_named_and_left_out(capfd):
  assert set(hold('ours', 'absent')['case']) == {'ours'}
  told = "skipping absent: ModuleNotFoundError: No module named 'absent'"
  assert capfd.readouterr().err.count(told) == 2


@pytest.mark.slow
def test_who_fails_ends_it():
  with pytest.raises(RuntimeError, match='broken failed: it broke'):
    hold('ours', 'broken')


def test_ratios_are_printed_and_recorded(monkeypatch):
  seconds = {'ours': 0.003, 'peer': 0.006}
  table = ' '.join(contest.table(seconds).split())
  assert '| peer | 6.0 | 2.00 × |' in table
  written = {}
  monkeypatch.setattr(
    contest.figures, 'record_speed', lambda key, x, _: written.update({key: x})
  )
  contest.record_over('gru', seconds, {'torch': 'absent', 'keras': 'peer'})
  assert written == {'gru.over_keras': pytest.approx(2)}


def test_flops_are_those_of_the_matrices():
  """Counts two layers of two units, three steps, five inputs."""
  case = cases.Recurrent(2, 2, time=3, inputs=5, batch=1, train=False)
  products = 3 * 2 * (5 + 2) + 3 * 2 * (2 + 2)
  assert case.flops == 2 * products * 3 * cases.STEPS
