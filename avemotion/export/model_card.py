"""Writes the model card of an export, as Markdown."""

import importlib.metadata
from collections.abc import Sequence

import avemotion
from avemotion.data import folds, silence
from avemotion.evaluation import markdown, paper
from avemotion.export.origin import Origin
from avemotion.features import acoustic, faces, speech, visual
from avemotion.features.front_ends import LANDMARKS, MFCC, SPEECH, VGG16
from avemotion.features.media import FRAMES_PER_SECOND
from avemotion.features.vgg16_weights import Vgg16Weights
from avemotion.recognition import windows
from avemotion.training import config as config_lib
from avemotion.training.checkpoints import TrainedModel

_MFCC = (
  f'MFCC of mono sound at {acoustic.SAMPLE_RATE} Hz within [-1, 1], as'
  ' `avemotion.features.acoustic.mfcc` makes them: pre-emphasis'
  f' {acoustic.PRE_EMPHASIS} of the whole signal, then a row for every'
  f' {acoustic.FRAME_LENGTH} samples, {acoustic.HOP_LENGTH} apart, not centred;'
  " Hamming's window (periodic), power of the FFT,"
  f' {acoustic.NUM_MEL_BANDS} mel bands up to {acoustic.SAMPLE_RATE // 2} Hz'
  " (Slaney's scale, of unit area), 10 log10 of no less than"
  f' {acoustic.MEL_FLOOR_DB:.0f} dB, and of the orthonormal DCT-II the first'
  f' {acoustic.NUM_COEFFICIENTS}, in their order'
)
_SPEECH = (
  f'features of mono sound at {acoustic.SAMPLE_RATE} Hz over the whole clip or'
  ' window, as `avemotion.features.speech` makes them. A row of the spectrogram'
  f' for every {speech.FRAME_LENGTH} samples, {speech.HOP_LENGTH} apart, not'
  " centred: Hann's window (periodic), power of the FFT over 9, 80 mel bands up"
  " to 8 kHz (Slaney's scale, of unit area), log10 of no less than"
  f' {speech.POWER_FLOOR:g}. Rows are left out before the first and after the'
  ' last whose summed power, in dB, is at least the larger of'
  f' {speech.QUIETEST_DB:.0f} under the loudest and {speech.QUIET_SHARE:.0%} of'
  ' the way from the quietest to the loudest, but for'
  f' {speech.MARGIN} on either side. Then x = max(x - max,'
  f' -{speech.RANGE:.0f}), (x + {speech.LOUDEST} + 4) / 4. The first'
  f' {max(speech.BLOCKS)} blocks of'
  " Whisper base's encoder read it (OpenAI, MIT licence;"
  ' `avemotion.models.speech_encoder`, `weights/speech_encoder.npz`), of which'
  f' the outputs of blocks {" and ".join(map(str, speech.BLOCKS))} stand side'
  f' by side, and {speech.ROW_STEPS // 2} positions are averaged to a row'
)
_VGG16 = (
  f'features of the largest face, {FRAMES_PER_SECOND} frames a second: its'
  f' square box and {faces.MARGIN:.0%} more on each side, resized to'
  f' {faces.CROP_SIZE}×{faces.CROP_SIZE} RGB (antialiased); where no face is'
  ' found, the crop before. `vgg16` makes the features of the crops,'
  f' uint8[frames, {faces.CROP_SIZE}, {faces.CROP_SIZE}, 3]'
)
_LANDMARKS = (
  f'features of the 68 landmarks (the order of iBUG 300-W) of the largest face,'
  f' {FRAMES_PER_SECOND} frames a second, over the whole clip or window, as'
  ' `avemotion.features.landmarks` describes them. E is the median over time of'
  ' the distance between the eyes, each the mean of its six points (right: 36'
  ' to 41, left: 42 to 47), M the middle between them, x to the right and y'
  ' down, in pixels. Numbers 0 to 135: x and y of point 0, then of point 1 and'
  ' so on, each less M, over E. 136 and 137: x and y of M less its mean over'
  ' time, over E. 138: the logarithm of the distance between the eyes over E.'
  ' 139: the angle in radians of the line from the right eye to the left,'
  ' arctan2(y, x). 140 to 279: how much each of these changed since the row'
  ' before, 0 in the first row and after a gap. A row without a face, or with'
  ' landmarks that are not to be trusted, is the mean of the others. avemotion'
  ' finds the landmarks by dlib (`avemotion.features.landmark_detector`), whose'
  ' model is not for commercial use'
)
_TRIMMED = (
  '`audio` begins and ends with speech: rows before the first and after the'
  f' last whose first coefficient is at least {silence.QUIET_SHARE:.0%} of the'
  " way from the clip's lowest to its highest are left out, but for"
  f' {silence.MARGIN} on either side (`avemotion.data.silence`).'
)
_ENROLLED = (
  'The model is for speakers who are enrolled. From every valid row of'
  " {modalities} take off the speaker's own mean, `float32[features]`: of"
  ' several clips of that speaker, of whatever they feel, the mean over time of'
  ' each, and the mean of those (`avemotion.data.enrolment.speaker_mean`).'
)
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


# Programs that load and run each file of an export, in its directory.
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
  """Writes the card of an export of some files, and VGG16's weights if any."""
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
    _inputs(origin, weights),
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
      ('temperature', f'{_temperatures(model)}, inside'),
      ('computes in', 'float32'),
      ('exported by', f'avemotion {avemotion.__version__}'),
    ],
  )


def _temperatures(model: TrainedModel) -> str:
  alone = model.branch_temperatures.items()
  told = (f'{value:.3f} for {name} alone' for name, value in alone)
  return ', '.join([f'{model.temperature:.3f}', *told])


def _inputs(origin: Origin, weights: Vgg16Weights | None) -> str:
  config = origin.model.config
  data, modalities = config.data, config.model.modalities
  items = [_item(origin, modality, weights) for modality in modalities]
  notes = [_rest(modalities)]
  if data.trim_silence and 'audio' in modalities:
    notes.append(_TRIMMED)
  if enrolled := [f'`{m}`' for m in modalities if m in data.enrol]:
    notes.append(_ENROLLED.format(modalities=' and '.join(enrolled)))
  lists = '\n'.join(markdown.wrap(f'{item}.', '- ', '  ') for item in items)
  return '\n\n'.join([lists, *map(markdown.wrap, notes)])


def _item(origin: Origin, modality: str, weights: Vgg16Weights | None) -> str:
  width = origin.model.feature_dims[modality]
  shape = f'`{modality}`, `float32[batch, {modality}_time, {width}]`'
  made = origin.sources[modality], width
  if made == (MFCC.source, MFCC.dim):
    used = origin.model.config.model.audio.num_inputs
    first = f', of which it uses the first {used}' if used else ''
    return f'{shape}: {_MFCC}{first}'
  if made == (SPEECH.source, SPEECH.dim):
    return f'{shape}: {_SPEECH}'
  if made == (LANDMARKS.source, LANDMARKS.dim):
    return f'{shape}: {_LANDMARKS}'
  if made == (VGG16.source, VGG16.dim):
    source = weights.source if weights else 'not part of this export'
    return f'{shape}: {_VGG16} ({source})'
  return (
    f'{shape}: {origin.sources[modality]}, as in the data set that the model'
    ' was trained on; avemotion makes none like them of a clip'
  )


def _rest(modalities: tuple[str, ...]) -> str:
  lengths = ' and '.join(f'`{modality}_lengths`' for modality in modalities)
  also = ' A clip without one modality has 0 steps of it, and a row of zeros.'
  also *= len(modalities) > 1
  return (
    f'Beside them {lengths}, `int32[batch]`: how many rows are valid, no more'
    ' than there are; what follows is not read, but must be finite.'
    f'{also} Rows go in as they are made: standardisation is inside. The'
    f' package answers a clip of more than {windows.WINDOW_SECONDS:.0f} s by'
    f' windows of so many, one every {windows.HOP_SECONDS} s, and the mean of'
    ' their answers.'
  )


def _loaded(program: str, origin: Origin) -> str:
  """Shows how a program is loaded and run, on inputs of zeros."""
  # Two clips, one of them shorter.
  lines = ['features, lengths = {}, {}']
  for modality in origin.model.config.model.modalities:
    count = _STEPS[modality]
    shape = 2, count, origin.model.feature_dims[modality]
    lines += [
      f"features['{modality}'] = np.zeros({shape}, np.float32)",
      f"lengths['{modality}'] = np.array({[count, count // 2]}, np.int32)",
    ]
  load = _BY_ONNX if program.endswith('.onnx') else _BY_JAX
  code = (load + _RUN[program]).format(
    file=program,
    inputs='\n'.join(lines),
    crops=(_STEPS['video'], *visual.CROP_SHAPE),
  )
  return f'`{program}`:\n\n```python\n{code.strip()}\n```'


def _licence(origin: Origin, weights: Vgg16Weights | None) -> str:
  dataset = origin.model.config.data.dataset
  licence = _RAVDESS_LICENCE
  if not origin.is_ravdess:
    licence = (
      f'That of what it was trained on, `{dataset}`, which is for you to know.'
      f' If that is made of RAVDESS: {licence}'
    )
  if weights:
    licence += f' `vgg16` has its own: {weights.source}.'
  return licence
