"""Programs of a few lines that load an export, for its model card.

They run in the export's directory, and need nothing but what they import.
"""

from avemotion.features import visual
from avemotion.training.checkpoints import TrainedModel

_CLIPS = 2
_STEPS = {'video': 27, 'audio': 80}  # About 3.5 s of either.

_CLASSIFIER_BY_JAX = """
import pathlib

import jax
import numpy as np
from jax import export

data = pathlib.Path('classifier.stablehlo').read_bytes()
recognise = jax.jit(export.deserialize(bytearray(data)).call)
{inputs}
probabilities = np.asarray(recognise(features, lengths))
"""

_CLASSIFIER_BY_ONNX = """
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession('classifier.onnx')
{inputs}
named = {{f'{{name}}_lengths': steps for name, steps in lengths.items()}}
(probabilities,) = session.run(None, features | named)
"""

_VGG16_BY_JAX = """
import pathlib

import jax
import numpy as np
from jax import export

data = pathlib.Path('vgg16.stablehlo').read_bytes()
encode = jax.jit(export.deserialize(bytearray(data)).call)
video = np.asarray(encode(np.zeros({crops}, np.uint8)))
"""

_VGG16_BY_ONNX = """
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession('vgg16.onnx')
(video,) = session.run(None, {{'crops': np.zeros({crops}, np.uint8)}})
"""

_OF_PROGRAM = {
  'classifier.stablehlo': _CLASSIFIER_BY_JAX,
  'classifier.onnx': _CLASSIFIER_BY_ONNX,
  'vgg16.stablehlo': _VGG16_BY_JAX,
  'vgg16.onnx': _VGG16_BY_ONNX,
}


def load_and_run(program: str, model: TrainedModel) -> str:
  """How a program is loaded and run.

  Args:
    program: a file of the export.
    model: that it was made of.

  Returns:
    Python, for inputs of zeros.
  """
  text = _OF_PROGRAM[program].strip()
  crops = (_STEPS['video'], *visual.CROP_SHAPE)
  return text.format(inputs=_inputs(model), crops=crops)


def _inputs(model: TrainedModel) -> str:
  """Lines that make features and lengths of two clips, one of them shorter."""
  lines = ['features = {']
  steps = {m: _STEPS[m] for m in model.config.model.modalities}
  for modality, count in steps.items():
    shape = _CLIPS, count, model.feature_dims[modality]
    lines.append(f"  '{modality}': np.zeros({shape}, np.float32),")
  lines += ['}', 'lengths = {']
  for modality, count in steps.items():
    valid = [count, count // 2]
    lines.append(f"  '{modality}': np.array({valid}, np.int32),")
  return '\n'.join([*lines, '}'])
