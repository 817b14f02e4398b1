"""Tests of the speech encoder against its definition, written in NumPy."""

import jax
import numpy as np
import pytest
from scipy.special import erf, softmax

from avemotion.features import speech_program
from avemotion.models import speech_encoder
from avemotion.models.speech_encoder import SpeechEncoder


def spectrogram(rows, seed=0):
  """Makes noise in the encoder's range, smooth over time."""
  rng = np.random.default_rng(seed)
  noise = rng.normal(size=(rows + 4, 80)).cumsum(axis=0)
  smooth = (noise[4:] - noise[:-4]) / 4
  return np.clip(0.3 * smooth, -1, 1.4).astype(np.float32)


def gelu(x):
  return x * (1 + erf(x / np.sqrt(2))) / 2


def norm(x, params):
  centred = x - x.mean(axis=-1, keepdims=True)
  x = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
  return x * params['scale'] + params['bias']


def dense(x, params):
  return x @ params['kernel'] + params['bias']


def convolved(x, params, stride):
  padded = np.pad(x, ((1, 1), (0, 0)))
  taps = [
    padded[k : k + len(x)][::stride] @ params['kernel'][k] for k in (0, 1, 2)
  ]
  return gelu(sum(taps) + params['bias'])


def attended(x, params):
  heads = params['query']['kernel'].shape[1]
  joined = []
  for head in range(heads):
    query, key, value = (
      x @ params[name]['kernel'][:, head] + params[name]['bias'][head]
      for name in ('query', 'key', 'value')
    )
    shares = softmax(query @ key.T / np.sqrt(query.shape[1]), axis=-1)
    joined.append(shares @ value @ params['out']['kernel'][head])
  return sum(joined) + params['out']['bias']


def by_numpy(log_mel, params, blocks):
  params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
  x = convolved(log_mel.astype(np.float64), params['conv1'], 1)
  x = convolved(x, params['conv2'], 2)
  position = np.arange(len(x))[:, None] / 10_000 ** (np.arange(256) / 255)
  x = x + np.hstack([np.sin(position), np.cos(position)])
  kept = []
  for number in range(1, max(blocks) + 1):
    block = params[f'block{number}']
    x = x + attended(norm(x, block['attention_norm']), block['attention'])
    hidden = gelu(dense(norm(x, block['hidden_norm']), block['hidden']))
    x = x + dense(hidden, block['output'])
    kept += [x] if number in blocks else []
  return np.hstack(kept)


@pytest.mark.parametrize('rows', [1, 37, 200])
def test_it_computes_what_whisper_is_defined_by(rows):
  params = speech_program.params()
  inputs = spectrogram(rows)
  found = SpeechEncoder((1, 3)).apply({'params': params}, inputs[None])
  expected = by_numpy(inputs, params, (1, 3))
  assert found.shape == (1, -(-rows // 2), 1024)
  np.testing.assert_allclose(found[0], expected, rtol=1e-3, atol=1e-3)


def test_padding_changes_nothing():
  params, encoder = speech_program.params(), SpeechEncoder((2, 3))
  short, long = spectrogram(51, 1), spectrogram(120, 2)
  batch = np.full((2, 150, 80), 7, np.float32)  # Padding has no effect.
  batch[0, :51], batch[1, :120] = short, long
  together = encoder.apply({'params': params}, batch, np.array([51, 120]))
  for row, alone in zip(together, (short, long), strict=True):
    single = encoder.apply({'params': params}, alone[None])[0]
    np.testing.assert_allclose(row[: len(single)], single, atol=2e-4)


def test_bfloat16_is_near():
  params, inputs = speech_program.params(), spectrogram(100)[None]
  exact = SpeechEncoder((3,)).apply({'params': params}, inputs)
  rough = SpeechEncoder((3,), dtype='bfloat16').apply(
    {'params': params}, inputs
  )
  assert rough.dtype == 'bfloat16'
  apart = np.abs(np.float32(rough) - exact).mean() / np.abs(exact).mean()
  assert 0 < apart < 0.05


@pytest.mark.parametrize('shape', [(1, 10, 40), (1, 0, 80), (1, 3001, 80)])
def test_another_shape_is_refused(shape):
  with pytest.raises(ValueError, match='80 bands'):
    SpeechEncoder((1,)).init(jax.random.key(0), np.zeros(shape, np.float32))


def test_positions_are_of_waves():
  waves = speech_encoder.sinusoids(1500, 512)
  np.testing.assert_allclose(waves[0], np.repeat([0, 1], 256), atol=1e-7)
  np.testing.assert_allclose(waves[:, 0], np.sin(np.arange(1500)), atol=1e-4)
  np.testing.assert_allclose(
    waves[:, 511], np.cos(np.arange(1500) / 10_000), atol=1e-4
  )
