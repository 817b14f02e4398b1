"""Flax modules: one file for each figure of the paper. Needs JAX and Flax."""

from avemotion.models.branches import AudioBranch, Standardize, VideoBranch
from avemotion.models.fusion import EmotionClassifier
from avemotion.models.gru import GRU, GRUCell
from avemotion.models.vgg16 import VGG16

__all__ = [
  'GRU',
  'VGG16',
  'AudioBranch',
  'EmotionClassifier',
  'GRUCell',
  'Standardize',
  'VideoBranch',
]
