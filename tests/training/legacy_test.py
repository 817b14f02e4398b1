import pathlib

import numpy as np
import pytest

from avemotion.training import weights

# Written by the version before `std`, `cmn`, `deltas` and `feature_dims`.
MADE_BEFORE = pathlib.Path(__file__).with_name('made_before')


@pytest.mark.parametrize('name', ['fold_0', 'model.npz'])
def test_checkpoints_made_before_give_the_same_logits(name):
  model = weights.load_any(MADE_BEFORE / name)
  assert model.label_names == ('calm', 'happy', 'angry')
  assert model.feature_dims == {'video': 6, 'audio': 5}
  assert model.temperature == 1.5
  expected = np.load(MADE_BEFORE / 'expected.npz')
  logits = model.classifier.apply(
    model.variables,
    {name: expected[name] for name in ('video', 'audio')},
    {name: np.array([7, 4], np.int32) for name in ('video', 'audio')},
  )
  rounded = 2e-3 if name.endswith('.npz') else 1e-5  # float16
  np.testing.assert_allclose(logits, expected['logits'], atol=rounded)
