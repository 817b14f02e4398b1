"""What others do to the same clip."""

import numpy as np
import pytest

from avemotion.synthetic import corpus
from launch.benchmark import usual_chain


# Of what `librosa.load` and Keras import.
@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_the_usual_chain_makes_mfcc(tmp_path):
  pytest.importorskip('tensorflow')
  pytest.importorskip('librosa')
  clip, sound = tmp_path / 'clip.mp4', tmp_path / 'sound.wav'
  for path in (clip, sound):
    corpus.make_clip(path, 'happy', actor=1, seconds=1.0)
  mfcc = usual_chain.usual_chain(stride=4)(clip, sound)
  assert mfcc.shape == (40, 24)
  assert np.isfinite(mfcc).all()
