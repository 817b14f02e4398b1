"""Describes the inputs of an exported model, so that others can make them."""

from avemotion.data import silence
from avemotion.evaluation import markdown
from avemotion.export.origin import Origin
from avemotion.features import acoustic, faces
from avemotion.features.clip import FEATURE_DIMS
from avemotion.features.media import FRAMES_PER_SECOND
from avemotion.features.vgg16_weights import Vgg16Weights
from avemotion.recognition import windows

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
_VGG16 = (
  'features of the largest face, {rate} frames a second: its square box and'
  ' {margin:.0%} more on each side, resized to {size}×{size} RGB (antialiased);'
  ' where no face is found, the crop before. `vgg16` makes the features of the'
  ' crops, uint8[frames, {size}, {size}, 3] ({source})'
)
_TRIMMED = (
  '`audio` begins and ends with speech: rows before the first and after the'
  ' last whose first coefficient is at least {share:.0%} of the way from the'
  " clip's lowest to its highest are left out, but for {margin} on either side"
  ' (`avemotion.data.silence`).'
)
_ENROLLED = (
  'The model is for speakers who are enrolled. From every valid row of'
  " {modalities} take off the speaker's own mean, `float32[features]`: of"
  ' several clips of that speaker, of whatever they feel, the mean over time of'
  ' each, and the mean of those (`avemotion.data.enrolment.speaker_mean`).'
)


def describe_inputs(origin: Origin, weights: Vgg16Weights | None) -> str:
  """Describes the model's inputs: a list of them, and notes.

  `weights` are VGG16's, if the model sees with it.
  """
  model = origin.model
  data = model.config.data
  modalities = model.config.model.modalities
  items = [_item(origin, modality, weights) for modality in modalities]
  notes = [_rest(modalities)]
  if data.trim_silence and 'audio' in modalities:
    notes.append(
      _TRIMMED.format(share=silence.QUIET_SHARE, margin=silence.MARGIN)
    )
  if enrolled := [m for m in modalities if m in data.enrol]:
    names = ' and '.join(f'`{modality}`' for modality in enrolled)
    notes.append(_ENROLLED.format(modalities=names))
  lists = '\n'.join(markdown.wrap(f'{item}.', '- ', '  ') for item in items)
  return '\n\n'.join([lists, *map(markdown.wrap, notes)])


def _item(origin: Origin, modality: str, weights: Vgg16Weights | None) -> str:
  width = origin.model.feature_dims[modality]
  shape = f'`{modality}`, `float32[batch, {modality}_time, {width}]`'
  if width != FEATURE_DIMS[modality]:
    return (
      f'{shape}: {origin.sources[modality]}, as in the data set that the model'
      ' was trained on; avemotion makes none like them of a clip'
    )
  if modality == 'audio':
    used = origin.model.config.model.audio.num_inputs
    first = f', of which it uses the first {used}' if used else ''
    return f'{shape}: {_MFCC}{first}'
  seen = _VGG16.format(
    rate=FRAMES_PER_SECOND,
    margin=faces.MARGIN,
    size=faces.CROP_SIZE,
    source=weights.source if weights else 'not part of this export',
  )
  return f'{shape}: {seen}'


def _rest(modalities: tuple[str, ...]) -> str:
  lengths = ' and '.join(f'`{modality}_lengths`' for modality in modalities)
  missing = (
    ' A clip without one modality has 0 steps of it, and a row of zeros.'
    if len(modalities) > 1
    else ''
  )
  return (
    f'Beside them {lengths}, `int32[batch]`: how many rows are valid, no more'
    ' than there are; what follows is not read, but must be finite.'
    f'{missing} Rows go in as they are made: standardisation is inside. The'
    f' package answers a clip of more than {windows.WINDOW_SECONDS:.0f} s by'
    f' windows of so many, one every {windows.HOP_SECONDS} s, and the mean of'
    ' their answers.'
  )
