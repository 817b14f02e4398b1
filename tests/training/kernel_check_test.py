"""Tests of 'auto', which uses the Pallas kernel only if it is correct."""

import jax
import numpy as np
import pytest
from jax.experimental.pallas import tpu as pltpu

from avemotion.models import recurrence_kernel
from avemotion.training import kernel_check, mesh, network
from avemotion.training.config import AudioConfig, ConfigError, ModelConfig


def config(recurrence='auto', features=128):
  return ModelConfig(
    modalities=('audio',),
    audio=AudioConfig(features=features),
    recurrence=recurrence,
  )


@pytest.fixture(name='on_tpu')
def _on_tpu(monkeypatch):
  """Makes the CPU pass for a TPU, with interpreted kernels."""
  monkeypatch.setattr(kernel_check, 'takes_kernels', lambda mesh: True)
  monkeypatch.setattr(kernel_check, '_TIME', 9)  # Interpreting is slow.
  kernel_check.passes.cache_clear()
  with pltpu.force_tpu_interpret_mode():
    yield mesh.make_mesh(1, 8, jax.devices()[:1])
  kernel_check.passes.cache_clear()
  jax.clear_caches()


def test_a_kernel_that_agrees_is_taken(on_tpu, caplog):
  assert kernel_check.choose(config(), on_tpu) == 'pallas'
  classifier = network.make_classifier(config(), 2, on_tpu)
  assert classifier.audio.recurrence == 'pallas'
  assert not caplog.records


def scaled(number, factor):
  """Makes one of the values of a loop wrong by a factor."""

  def wrong(loop):
    def call(*arguments):
      leaves, tree = jax.tree.flatten(loop(*arguments))
      leaves[number] *= factor
      return jax.tree.unflatten(tree, leaves)

    return call

  return wrong


def raising(loop):
  def call(*arguments):
    raise NotImplementedError('Mosaic knows no such thing\nat all')

  return call


@pytest.mark.parametrize(
  ('name', 'wrong', 'reason'),
  [
    ('forward', scaled(1, 1.2), 'its results are off by'),
    ('backward', scaled(0, -1), 'its results are off by 200%'),
    ('backward', scaled(1, np.nan), 'its results are off by nan%'),
    ('forward', raising, 'NotImplementedError: Mosaic knows no such thing'),
  ],
)
def test_fused_runs_where_the_kernel_fails_and_one_line_says_so(
  on_tpu, caplog, monkeypatch, name, wrong, reason
):
  loop = getattr(recurrence_kernel, name)
  monkeypatch.setattr(recurrence_kernel, name, wrong(loop))
  assert kernel_check.choose(config(), on_tpu) == 'fused'
  assert kernel_check.choose(config(), on_tpu) == 'fused'  # Logged once.
  (line,) = [record.getMessage() for record in caplog.records]
  assert line.startswith('model.recurrence: using the fused loop')
  assert reason in line
  assert '\n' not in line


def test_a_cpu_has_no_kernel():
  cpu = mesh.make_mesh(1, 8, jax.devices()[:1])
  assert kernel_check.choose(config(), cpu) == 'fused'
  assert kernel_check.choose(config('scan'), cpu) == 'scan'
  assert kernel_check.choose(config('fused'), cpu) == 'fused'
  with pytest.raises(ConfigError, match='pallas needs TPUs, got cpu; use'):
    network.make_classifier(config('pallas'), 2, cpu)
  # A checkpoint of a run on TPUs works on any device.
  assert kernel_check.choose(config('pallas'), None) == 'fused'


def test_a_kernel_that_is_asked_for_is_taken_without_a_check(
  on_tpu, monkeypatch
):
  monkeypatch.setattr(kernel_check, '_outputs', raising(None))
  assert kernel_check.choose(config('pallas'), on_tpu) == 'pallas'
