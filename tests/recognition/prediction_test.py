"""Tests of label sets with a coverage."""

import numpy as np
import pytest

from avemotion.features.clip import ClipFeatures
from avemotion.recognition.prediction import Prediction


def predict(probabilities, held_out=()):
  names = 'abcdefgh'[: len(probabilities)]
  shares = dict(zip(names, probabilities, strict=True))
  return Prediction(
    clip='clip.mp4',
    label=max(shares, key=shares.get),
    probabilities=shares,
    modalities=('audio',),
    seconds=3.0,
    face_share=None,
    timeline_seconds=np.array([3.0], np.float32),
    timeline=np.array([probabilities], np.float32),
    warnings=(),
    features=ClipFeatures(3.0),
    held_out=held_out,
  )


def test_labels_are_those_that_are_as_likely_as_the_right_one_mostly_is():
  held_out = tuple(np.linspace(0, 1, 101))
  one = predict([0.05, 0.6, 0.15, 0.2], held_out)
  assert one.labels(0.9) == ('b', 'd', 'c')
  assert one.labels(0.82) == ('b', 'd')
  assert one.labels(0.5) == ('b',)
  assert one.labels(0.1) == ('b',)  # At least one label.
  assert '90 % sure: b or d or c' in str(one)
  assert one.to_json()['labels_of_90_percent'] == ['b', 'd', 'c']


def test_they_hold_the_right_one_as_often_as_promised():
  rng = np.random.default_rng(0)

  def draw(count):
    logits = rng.normal(size=(count, 4)) * 2
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return shares, np.array([rng.choice(4, p=row) for row in shares])

  shares, right = draw(2000)
  of_right = shares[np.arange(2000), right]
  held_out = tuple(np.quantile(of_right, np.linspace(0, 1, 101)))
  shares, right = draw(1000)
  for coverage in (0.8, 0.9):
    hits = [
      'abcd'[k] in predict(row, held_out).labels(coverage)
      for row, k in zip(shares.tolist(), right, strict=True)
    ]
    assert coverage - 0.04 < np.mean(hits) < coverage + 0.06


def test_a_model_that_was_not_measured_says_so():
  one = predict([0.4, 0.6])
  assert 'sure' not in str(one)
  assert one.to_json()['labels_of_90_percent'] is None
  with pytest.raises(ValueError, match='temperatures_of'):
    one.labels()
  with pytest.raises(ValueError, match='between 0 and 1, got 1'):
    predict([0.4, 0.6], (0.1, 0.2)).labels(1)
