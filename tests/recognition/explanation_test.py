"""Tests of attributions on problems with a known answer."""

import dataclasses
import functools
import logging

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from avemotion.recognition import explanation
from avemotion.recognition.explanation import Explanation, attribute
from avemotion.training import network
from avemotion.training.config import (
  AudioConfig,
  Config,
  ModelConfig,
  VideoConfig,
)
from avemotion.training.trained_model import TrainedModel

LABELS = ('calm', 'happy', 'angry')
TEMPERATURE = 0.8
WIDTHS = {'video': 3, 'audio': 5}
READ = 4  # audio features in use
MEANS = {'video': np.float32([1, -2, 3]), 'audio': np.float32([0, 1, 2, 3])}
STEPS = {'video': 20, 'audio': 37}
CUE = slice(14, 20)  # audio steps


@functools.cache
def make_model():
  """Returns a model with `cmn` for video only."""
  config = Config(
    model=ModelConfig(
      video=VideoConfig(features=6, cmn=True),
      audio=AudioConfig(features=8, num_layers=1, num_inputs=READ),
      dense_features=8,
      pooling=('last', 'mean'),
    )
  )
  classifier = network.make_classifier(config.model, len(LABELS))
  init = jax.jit(classifier.init)
  variables = init(jax.random.key(0), *network.sample_inputs(WIDTHS))
  variables['statistics'] = {
    name: {'standardize': {'mean': mean, 'std': np.ones_like(mean)}}
    for name, mean in MEANS.items()
  }
  return TrainedModel(variables, config, LABELS, WIDTHS, TEMPERATURE)


def make_inputs(seed=0):
  rng = np.random.default_rng(seed)
  return {
    name: np.float32(2 * rng.standard_normal((STEPS[name], WIDTHS[name])))
    for name in WIDTHS
  }


def log_probabilities(model, inputs):
  return _log_probabilities(model.classifier, model.variables, inputs)


@functools.partial(jax.jit, static_argnums=0)
def _log_probabilities(classifier, variables, inputs):
  logits = classifier.apply(
    variables,
    {name: rows[None] for name, rows in inputs.items()},
    {name: jnp.array([len(rows)]) for name, rows in inputs.items()},
  )
  return jax.nn.log_softmax(logits[0] / TEMPERATURE)


def baselines(model, inputs):
  return {
    name: explanation.baseline(model, name, rows)
    for name, rows in inputs.items()
  }


@pytest.fixture(scope='module')
def trained():
  """Returns a model trained on noise with a cue in the sound."""
  model = make_model()

  @jax.jit
  def update(params, opt_state, features, labels):
    def loss(params):
      logits = model.classifier.apply(
        {**model.variables, 'params': params},
        features,
        {name: jnp.full(len(labels), STEPS[name]) for name in WIDTHS},
      )
      return optax.softmax_cross_entropy_with_integer_labels(
        logits, labels
      ).mean()

    gradients = jax.grad(loss)(params)
    updates, opt_state = tx.update(gradients, opt_state)
    return optax.apply_updates(params, updates), opt_state

  tx = optax.adam(0.02)
  params = model.variables['params']
  opt_state = tx.init(params)
  for seed in range(120):
    params, opt_state = update(params, opt_state, *cued(seed, 32))
  return dataclasses.replace(
    model, variables={**model.variables, 'params': params}
  )


def cued(seed, clips):
  """Returns features and labels; the label is a feature's level during CUE."""
  rng = np.random.default_rng(seed)
  labels = rng.integers(0, len(LABELS), clips)
  features = {
    name: rng.standard_normal((clips, STEPS[name], WIDTHS[name]))
    for name in WIDTHS
  }
  features['audio'][:, CUE, 2] += 3 * (labels[:, None] - 1)
  return {
    'video': np.float32(features['video'] + MEANS['video']),
    'audio': np.float32(features['audio'] + [*MEANS['audio'], 0]),
  }, labels


@pytest.mark.slow
def test_what_carried_it_is_the_cue_and_nothing_else(trained):
  features, labels = cued(1000, 16)
  positive = np.zeros(STEPS['audio'])
  shares = []
  for index, label in enumerate(labels):
    inputs = {name: rows[index] for name, rows in features.items()}
    if label == 1 or log_probabilities(trained, inputs).argmax() != label:
      continue  # The level of happy does not stand out.
    nats = attribute(trained, inputs, label)
    steps = {name: values.sum(axis=-1) for name, values in nats.items()}
    found = Explanation('', {}, steps)
    shares.append(found.shares['audio'])
    positive += np.maximum(found.attributions['audio'], 0)
  assert len(shares) > 5
  assert np.mean(shares) > 0.9
  assert positive[CUE].sum() > 0.7 * positive.sum()


@pytest.mark.slow
@pytest.mark.parametrize('label', range(len(LABELS)))
def test_parts_add_up_to_what_the_clip_adds_to_the_baseline(trained, label):
  inputs = {name: rows[0] for name, rows in cued(7, 1)[0].items()}
  attributions = attribute(trained, inputs, label)
  before = log_probabilities(trained, baselines(trained, inputs))
  added = float((log_probabilities(trained, inputs) - before)[label])
  assert abs(added) > 0.1
  found = sum(values.sum() for values in attributions.values())
  assert found == pytest.approx(added, rel=0.03)


def test_parts_are_those_of_the_papers_own_sum():
  """Computes equation (3), gradients at equal steps, without padding."""
  model, inputs = make_model(), make_inputs()
  nothing = baselines(model, inputs)
  gradient = jax.jit(jax.grad(lambda i: log_probabilities(model, i)[1]))
  total = jax.tree.map(np.zeros_like, inputs)
  for part in (np.arange(100) + 0.5) / 100:
    between = {
      name: np.float32(nothing[name] + part * (rows - nothing[name]))
      for name, rows in inputs.items()
    }
    total = jax.tree.map(np.add, total, gradient(between))
  for name, steps in attribute(model, inputs, 1).items():
    expected = (inputs[name] - nothing[name]) * total[name] / 100
    np.testing.assert_allclose(
      steps.sum(axis=-1), expected.sum(axis=-1), atol=2e-3
    )


def test_the_mean_says_nothing():
  model, inputs = make_model(), make_inputs()
  silent = {
    'audio': baselines(model, inputs)['audio'],
    'video': inputs['video'],
  }
  attributions = attribute(model, silent, 0)
  assert np.abs(attributions['audio']).max() == 0
  assert np.abs(attributions['video']).max() > 0.01


def test_a_level_that_a_branch_takes_off_carries_nothing():
  """Returns the baseline of video; audio has no `cmn`."""
  inputs = make_inputs()
  plain = attribute(make_model(), inputs, 0)
  raised = {name: inputs[name] + np.float32(5) for name in inputs}
  same, other = (
    attribute(make_model(), inputs | {name: raised[name]}, 0)[name]
    for name in ('video', 'audio')
  )
  np.testing.assert_allclose(plain['video'], same, atol=1e-4)
  assert np.abs(plain['audio'] - other).max() > 0.01


def test_coefficients_that_are_not_read_carry_nothing():
  inputs = make_inputs()
  changed = {name: rows.copy() for name, rows in inputs.items()}
  changed['audio'][:, READ:] += 100
  one, other = (attribute(make_model(), each, 2) for each in (inputs, changed))
  np.testing.assert_array_equal(one['audio'], other['audio'])


def test_a_missing_modality_is_left_out():
  inputs = make_inputs() | {'video': np.zeros((0, 3), np.float32)}
  attributions = attribute(make_model(), inputs, 0)
  assert {name: len(steps) for name, steps in attributions.items()} == {
    'audio': STEPS['audio']
  }


def test_what_does_not_add_up_is_told(monkeypatch, caplog):
  monkeypatch.setattr(explanation, '_TOLERANCE', 0)
  with caplog.at_level(logging.WARNING, 'avemotion'):
    attribute(make_model(), make_inputs(), 0)
  assert 'the explanation adds up to' in caplog.text


def by_hand(video, audio):
  return Explanation(
    'angry',
    {'video': np.arange(len(video)) / 10, 'audio': np.arange(len(audio)) / 10},
    {'video': np.float32(video), 'audio': np.float32(audio)},
  )


def test_shares_are_of_what_speaks_for_it():
  found = by_hand([1, -0.5, 0.5], [3, 0, 1, -1])
  assert found.shares == {'video': 0.25, 'audio': 0.75}
  assert by_hand([1], [-1, 0.5]).shares == {'video': 1.0, 'audio': 0.0}
  assert by_hand([-1], [-1]).shares == {'video': 0.0, 'audio': 0.0}


def test_the_strongest_time_is_the_shortest_that_holds_half():
  found = by_hand([0, 1, -5, 3, 2, 0, 4, 0], [2, 0, 0])
  # 3 + 2 is half of ten, in two steps.
  assert found.strongest('video') == (0.3, 0.4)
  assert found.strongest('audio') == (0.0, 0.0)
  assert by_hand([-1, 0], [1]).strongest('video') is None


def test_words_and_json_say_the_same():
  found = by_hand([-1, 0.5], [1, 8, 1])
  assert found.lines() == [
    'video does not support angry',
    'audio carried 100% of angry: most at 0.1 s',
  ]
  longer = by_hand([0, 1, 0, 1, 0], [-1])
  assert longer.lines()[0].endswith(': most at 0.1 s')
  longer = by_hand([0, 1, 1, 1, 1], [-1])
  assert longer.lines()[0].endswith(': most at 0.1–0.2 s')
  written = found.to_json()
  assert written['label'] == 'angry'
  audio = written['modalities']['audio']
  assert audio['share'] == 1.0
  assert audio['strongest_seconds'] == [0.1, 0.1]
  nothing = by_hand([-1], [1]).to_json()['modalities']['video']
  assert nothing['strongest_seconds'] == []
  assert audio['steps'][1] == {'seconds': 0.1, 'attribution': 8.0}
