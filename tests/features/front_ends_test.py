"""Tests of the choice of front ends for a model."""

import numpy as np
import pytest
from landmark_files import make_landmarks

from avemotion.features import acoustic, front_ends, landmarks, visual
from avemotion.features.front_ends import LANDMARKS, MFCC, VGG16


def test_sizes_are_those_of_what_extracts():
  assert VGG16.dim == VGG16.row_dim == visual.FEATURES
  assert MFCC.dim == MFCC.row_dim == acoustic.NUM_COEFFICIENTS
  assert LANDMARKS.dim == landmarks.FEATURES
  assert LANDMARKS.row_dim == 2 * landmarks.NUM_POINTS


@pytest.mark.parametrize(
  ('modality', 'source', 'dim', 'expected'),
  [
    ('video', 'VGG16 of 48×48 face crops', 512, VGG16),
    ('video', '68 face landmarks', 280, LANDMARKS),
    ('video', None, 280, LANDMARKS),
    ('video', 'unnamed features', 512, VGG16),
    ('audio', 'MFCC', 40, MFCC),
    ('video', '68 face landmarks', 512, None),
    ('video', 'MFCC', 40, None),
    ('audio', 'my own', 40, None),
    ('audio', None, 13, None),
  ],
)
def test_a_front_end_is_found_by_source_and_size(
  modality, source, dim, expected
):
  assert front_ends.find(modality, source, dim) is expected


def test_features_of_none_are_told():
  with pytest.raises(ValueError, match=r'MFCC \(40\).* my own \(40\)'):
    front_ends.reading({'audio': 'my own'}, {'audio': 40})


def test_landmarks_are_described_and_others_stay():
  points = make_landmarks(5)
  known = np.array([True, True, False, True, True])
  rows = points.reshape(5, 136)
  expected = landmarks.describe(points, known), rows
  for front_end, wanted in zip((LANDMARKS, VGG16), expected, strict=True):
    found, steps = front_end.of_window(rows, known)
    np.testing.assert_array_equal(found, wanted)
    assert steps.tolist() == [0, 1, 2, 3, 4]
