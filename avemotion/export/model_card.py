"""Model card of an export, in Markdown."""

import importlib.metadata
from collections.abc import Sequence

import avemotion
from avemotion.data import folds, silence
from avemotion.evaluation import markdown, paper
from avemotion.export.origin import Origin
from avemotion.features import acoustic, faces, speech, visual
from avemotion.features.front_ends import LANDMARKS, MFCC, SPEECH, VGG16
from avemotion.features.sampling import FRAMES_PER_SECOND
from avemotion.features.vgg16_weights import Vgg16Weights
from avemotion.recognition import windows
from avemotion.training import config as config_lib
from avemotion.training.trained_model import TrainedModel

_MFCC = (
  f'MFCC of mono sound at {acoustic.SAMPLE_RATE} Hz within [-1, 1], computed by'
  ' `avemotion.features.acoustic.mfcc`: pre-emphasis'
  f' {acoustic.PRE_EMPHASIS} of the whole signal, then a row for every'
  f' {acoustic.FRAME_LENGTH} samples, {acoustic.HOP_LENGTH} apart, not centred;'
  " Hamming's window (periodic), power of the FFT,"
  f' {acoustic.NUM_MEL_BANDS} mel bands up to {acoustic.SAMPLE_RATE // 2} Hz'
  " (Slaney's scale, of unit area), 10 log10 with a floor of"
  f' {acoustic.MEL_FLOOR_DB:.0f} dB, and the first'
  f' {acoustic.NUM_COEFFICIENTS} coefficients of the orthonormal DCT-II'
)
_SPEECH = (
  f'features of mono sound at {acoustic.SAMPLE_RATE} Hz over the whole clip or'
  ' window, computed by `avemotion.features.speech`. The spectrogram has a row'
  f' for every {speech.FRAME_LENGTH} samples, {speech.HOP_LENGTH} apart, not'
  " centred: Hann's window (periodic), power of the FFT over 9, 80 mel bands up"
  " to 8 kHz (Slaney's scale, of unit area), log10 with a floor of"
  f' {speech.POWER_FLOOR:g}. Silence is trimmed: rows are kept from the first'
  ' to the last whose summed power, in dB, is at least the larger of'
  f' {speech.QUIETEST_DB:.0f} under the loudest and {speech.QUIET_SHARE:.0%} of'
  ' the way from the quietest to the loudest, plus'
  f' {speech.MARGIN} on either side. Then x = max(x - max,'
  f' -{speech.RANGE:.0f}), (x + {speech.LOUDEST} + 4) / 4. The first'
  f' {max(speech.BLOCKS)} blocks of'
  " Whisper base's encoder (OpenAI, MIT licence;"
  ' `avemotion.models.speech_encoder`, `weights/speech_encoder.npz`) process'
  f' it; the outputs of blocks {" and ".join(map(str, speech.BLOCKS))} are'
  f' concatenated, and each {speech.ROW_STEPS // 2} positions are averaged to a'
  ' row'
)
_VGG16 = (
  f'features of the largest face, {FRAMES_PER_SECOND} frames a second: its'
  f' square box and {faces.MARGIN:.0%} more on each side, resized to'
  f' {faces.CROP_SIZE}×{faces.CROP_SIZE} RGB (antialiased); a frame without a'
  ' face repeats the previous crop. `vgg16` computes the features from the'
  f' crops, uint8[frames, {faces.CROP_SIZE}, {faces.CROP_SIZE}, 3]'
)
_LANDMARKS = (
  f'features of the 68 landmarks (the order of iBUG 300-W) of the largest face,'
  f' {FRAMES_PER_SECOND} frames a second, over the whole clip or window,'
  ' computed by `avemotion.features.landmarks`. E is the median over time of'
  ' the distance between the eyes, each the mean of its six points (right: 36'
  ' to 41, left: 42 to 47), M the middle between them, x to the right and y'
  ' down, in pixels. Numbers 0 to 135: x and y of point 0, then of point 1 and'
  ' so on, each minus M, over E. 136 and 137: x and y of M minus its mean over'
  ' time, over E. 138: the logarithm of the distance between the eyes over E.'
  ' 139: the angle in radians of the line from the right eye to the left,'
  ' arctan2(y, x). 140 to 279: the change of each of these since the previous'
  ' row, 0 in the first row and after a gap. A row without a face, or with'
  ' unreliable landmarks, is the mean of the others. avemotion finds the'
  ' landmarks by dlib (`avemotion.features.landmark_detector`), whose model is'
  ' not for commercial use'
)
_TRIMMED = (
  '`audio` begins and ends with speech: keep the rows from the first to the'
  f' last whose first coefficient is at least {silence.QUIET_SHARE:.0%} of the'
  " way from the clip's lowest to its highest, plus"
  f' {silence.MARGIN} on either side (`avemotion.data.silence`).'
)
_ENROLLED = (
  "The model expects enrolled speakers. Subtract the speaker's own mean,"
  ' `float32[features]`, from every valid row of {modalities}: take the mean'
  ' over time of several clips of that speaker, with any emotions, then the'
  ' mean of those (`avemotion.data.enrolment.speaker_mean`).'
)
_RAVDESS_LICENCE = (
  'Trained on RAVDESS (Livingstone & Russo 2018,'
  ' <https://doi.org/10.1371/journal.pone.0196391>), whose licence, CC BY-NC-SA'
  ' 4.0, also covers this model: attribute, no commercial use, share alike.'
  ' <https://creativecommons.org/licenses/by-nc-sa/4.0/>'
)
_NOT_FOR = (
  'The model has learned how people act emotions, in the recordings that it was'
  ' trained on. It does not know what anybody feels. Expect lower scores with'
  ' any other language, room, camera, microphone or age, unless a figure above'
  ' covers it. Do not use it to judge, rank, hire, diagnose or monitor people.'
)
_OPENED = (
  'Batch size and time are free, from 1 up. The files are self-contained.'
  ' `jax.export` reads a `.stablehlo` file on a CPU, an NVIDIA GPU or a TPU,'
  ' with a JAX that is up to six months newer than {jax}'
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
# The rest of each program, by the file's name.
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
  """Writes the card of an export of files, and VGG16's weights if any."""
  model = origin.model
  modalities = ' and '.join(model.config.model.modalities)
  labels = ', '.join(model.label_names)
  version = importlib.metadata.version('jax')
  sections = [
    _header(origin, programs),
    '# Model card',
    markdown.wrap(
      f'Returns the probability of each of {len(model.label_names)} emotions'
      f' from the {modalities} of a person who speaks.'
    ),
    _facts(origin),
    '## Input',
    _inputs(origin, weights),
    '## Output',
    markdown.wrap(
      f'`float32[batch, {len(model.label_names)}]`, probabilities in the order:'
      f' {labels}. A clip without any valid row returns NaN.'
    ),
    '## How to load it',
    markdown.wrap(_OPENED.format(jax=version)),
    *(_loaded(program, origin) for program in programs),
    '## How good it is',
    origin.figures,
    '## Licence',
    markdown.wrap(_licence(origin, weights)),
    '## Limitations and use',
    markdown.wrap(_NOT_FOR),
  ]
  return '\n\n'.join(sections) + '\n'


def _header(origin: Origin, programs: Sequence[str]) -> str:
  """Writes the YAML header that the Hugging Face Hub reads."""
  only_onnx = programs and all(name.endswith('.onnx') for name in programs)
  return '\n'.join(
    [
      '---',
      f'license: {"cc-by-nc-sa-4.0" if origin.is_ravdess else "other"}',
      f'library_name: {"onnx" if only_onnx else "jax"}',
      'tags: [emotion-recognition, jax]',
      'metrics: [accuracy, recall]',
      '---',
    ]
  )


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
    ' was trained on; avemotion cannot compute them from a clip'
  )


def _rest(modalities: tuple[str, ...]) -> str:
  lengths = ' and '.join(f'`{modality}_lengths`' for modality in modalities)
  also = ' A clip without one modality has length 0 for it, and a row of zeros.'
  also *= len(modalities) > 1
  return (
    f'And {lengths}, `int32[batch]`: the number of valid rows; later rows are'
    f' ignored, but must be finite.{also} Do not standardise the features: the'
    ' program does. For a clip longer than'
    f' {windows.WINDOW_SECONDS:.0f} s, avemotion averages the probabilities of'
    f' windows of {windows.WINDOW_SECONDS:.0f} s, one every'
    f' {windows.HOP_SECONDS} s.'
  )


def _loaded(program: str, origin: Origin) -> str:
  """Writes code that loads and runs a program, on inputs of zeros."""
  # Two clips, the second one shorter.
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
      f'The licence of its training data, `{dataset}`; please check it. If that'
      f' data contains RAVDESS: {licence}'
    )
  if weights:
    licence += f' `vgg16` has its own: {weights.source}.'
  return licence
