"""Audio-visual emotion recognition in JAX.

Implements and extends "Video-Audio Emotion Recognition Based on Feature Fusion
Deep Learning Method" (Song, Cai, Tan).

`avemotion.Recognizer`, `avemotion.extract` and `avemotion.load_model` are
imported on first use, so `import avemotion` alone loads no other library.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from avemotion.features.clip import extract
  from avemotion.recognition.recognizer import Recognizer
  from avemotion.training.weights import load_model

__version__ = '0.1.2'

__all__ = ['Recognizer', 'extract', 'load_model']

_MODULES = {
  'Recognizer': 'avemotion.recognition.recognizer',
  'extract': 'avemotion.features.clip',
  'load_model': 'avemotion.training.weights',
}


def __getattr__(name: str) -> Any:
  if name not in _MODULES:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  value = getattr(importlib.import_module(_MODULES[name]), name)
  globals()[name] = value
  return value


def __dir__() -> list[str]:
  return sorted({*globals(), *__all__})
