"""Writes the model card of an export, as Markdown."""

import importlib.metadata
from collections.abc import Sequence

import avemotion
from avemotion.data import folds
from avemotion.evaluation import markdown, paper
from avemotion.export.inputs import describe_inputs
from avemotion.export.origin import Origin
from avemotion.features import visual
from avemotion.features.vgg16_weights import Vgg16Weights
from avemotion.training import config as config_lib

_RAVDESS_LICENCE = (
  'Trained on RAVDESS (Livingstone & Russo 2018,'
  ' <https://doi.org/10.1371/journal.pone.0196391>), which is CC BY-NC-SA 4.0,'
  ' as what is made of it is: not for commercial use; attribute, and share'
  ' alike. <https://creativecommons.org/licenses/by-nc-sa/4.0/>'
)
_NOT_FOR = (
  'It learnt how people act emotions, in the recordings that it was trained on;'
  ' it does not know what anybody feels. Another language, room, camera,'
  ' microphone or age is another matter, and was not measured unless it is said'
  ' above. Do not use it to judge, rank, hire, diagnose or watch people.'
)
_OPENED = (
  'Sizes of batch and time are open, from one on. Everything is inside the'
  ' files: `jax.export` reads the one kind on a CPU, an NVIDIA GPU or a TPU, by'
  ' a version of JAX that is up to six months newer than {jax}'
  ' (<https://docs.jax.dev/en/latest/export/export.html>). Load only files that'
  ' you trust.'
)


# Programs of a few lines that load and run each file of an export, in its
# directory.
_STEPS = {'video': 27, 'audio': 80}  # About 3.5 s of either.

_BY_JAX = """
import pathlib

import jax
import numpy as np
from jax import export

data = pathlib.Path('{file}').read_bytes()
run = jax.jit(export.deserialize(bytearray(data)).call)
"""
_BY_ONNX = """
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession('{file}')
"""
# What follows, by the file's name.
_RUN = {
  'classifier.stablehlo': """{inputs}
probabilities = np.asarray(run(features, lengths))
""",
  'classifier.onnx': """{inputs}
named = {{f'{{name}}_lengths': steps for name, steps in lengths.items()}}
(probabilities,) = session.run(None, features | named)
""",
  'vgg16.stablehlo': """video = np.asarray(run(np.zeros({crops}, np.uint8)))
""",
  'vgg16.onnx': """crops = np.zeros({crops}, np.uint8)
(video,) = session.run(None, {{'crops': crops}})
""",
}


def text(
  origin: Origin, weights: Vgg16Weights | None, programs: Sequence[str]
) -> str:
  """Writes the card of an export of so many files.

  `weights` are VGG16's, if they are part of the export.
  """
  model = origin.model
  modalities = ' and '.join(model.config.model.modalities)
  labels = ', '.join(model.label_names)
  version = importlib.metadata.version('jax')
  sections = [
    '# Model card',
    markdown.wrap(
      f'From {modalities} of a person speaking: how probable each of'
      f' {len(model.label_names)} emotions is.'
    ),
    _facts(origin),
    '## What it reads',
    describe_inputs(origin, weights),
    '## What it gives',
    markdown.wrap(
      f'`float32[batch, {len(model.label_names)}]`, probabilities in the order:'
      f' {labels}. A clip without a step of anything has nan.'
    ),
    '## How to load it',
    markdown.wrap(_OPENED.format(jax=version)),
    *(_loaded(program, origin) for program in programs),
    '## How good it is',
    origin.figures,
    '## Licence',
    markdown.wrap(_licence(origin, weights)),
    '## What it is not for',
    markdown.wrap(_NOT_FOR),
  ]
  return '\n\n'.join(sections) + '\n'


def _facts(origin: Origin) -> str:
  model = origin.model
  data = model.config.data
  if data.protocol == 'everyone':
    protocol = 'everyone: trained on all clips, tested on none'
  else:
    meaning = folds.named(data.protocol).meaning
    protocol = f'a fold of `{data.protocol}` ({meaning})'
  settings = config_lib.to_dict(model.config)['model']
  return markdown.table(
    ('fact', 'value'),
    [
      ('checkpoint', origin.name),
      ('network', paper.describe_model(settings)),
      ('parameters', f'{model.num_parameters:,}'),
      ('data', f'`{data.dataset}`'),
      ('protocol', protocol),
      ('temperature', f'{model.temperature:.3f}, inside'),
      ('computes in', 'float32'),
      ('exported by', f'avemotion {avemotion.__version__}'),
    ],
  )


def _loaded(program: str, origin: Origin) -> str:
  """Shows how a program is loaded and run, on inputs of zeros."""
  model = origin.model
  steps = {m: _STEPS[m] for m in model.config.model.modalities}
  # Two clips, one of them shorter.
  lines = ['features = {']
  for modality, count in steps.items():
    shape = 2, count, model.feature_dims[modality]
    lines.append(f"  '{modality}': np.zeros({shape}, np.float32),")
  lines += ['}', 'lengths = {']
  for modality, count in steps.items():
    valid = [count, count // 2]
    lines.append(f"  '{modality}': np.array({valid}, np.int32),")
  load = _BY_ONNX if program.endswith('.onnx') else _BY_JAX
  code = (load + _RUN[program]).format(
    file=program,
    inputs='\n'.join([*lines, '}']),
    crops=(_STEPS['video'], *visual.CROP_SHAPE),
  )
  return f'`{program}`:\n\n```python\n{code.strip()}\n```'


def _licence(origin: Origin, weights: Vgg16Weights | None) -> str:
  dataset = origin.model.config.data.dataset
  licence = _RAVDESS_LICENCE
  if not dataset.startswith('ravdess/'):
    licence = (
      f'That of what it was trained on, `{dataset}`, which is for you to know.'
      f' If that is made of RAVDESS: {_RAVDESS_LICENCE}'
    )
  if weights:
    licence += f' `vgg16` has its own: {weights.source}.'
  return licence
