"""The page's answer to a clip: recognised, put into words, and deleted."""

import os
import pathlib
from collections.abc import Collection, Mapping
from typing import Any

from avemotion.apps import uploads
from avemotion.features import containers
from avemotion.recognition import timeline, windows
from avemotion.recognition.prediction import Prediction
from avemotion.recognition.recognizer import Recognizer

# Probabilities by label, Matplotlib's picture of the timeline, and plain text:
# values of Gradio's Label, Plot and Textbox. Text alone says why there is none.
Answer = tuple[dict[str, float] | None, Any, str]


def recognise(
  recognizer: Recognizer, max_seconds: float, path: str | os.PathLike[str]
) -> Answer:
  """Answers a clip, which stays, or says in a sentence why there is no answer.

  The recogniser was made with `illustrate`, so that faces are shown. A clip of
  more than `max_seconds` is not decoded.
  """
  try:
    seconds = containers.length(path)
    if seconds > max_seconds:
      raise ValueError(
        f'{path}: {seconds:.1f} s long; this page takes {max_seconds:g} s at'
        ' most (--max_seconds)'
      )
    prediction = recognizer.predict(path)
  except (ValueError, OSError) as error:
    # Who dropped a clip knows its name, not where it lay.
    reason = str(error).replace(os.fspath(path), os.path.basename(path))
    return None, None, reason
  words = describe(prediction, recognizer.expected)
  return dict(prediction.probabilities), timeline.draw(prediction), words


def recognise_and_delete(
  recognizer: Recognizer, max_seconds: float, upload: Mapping[str, Any] | None
) -> tuple[Any, ...]:
  """Answers a clip that was uploaded, as `recognise`, and deletes it.

  Gradio's `FileData` has its 'path', in a folder that is named after its bytes;
  None: none came. The first value, None, empties where it was dropped.
  """
  if upload is None:
    return None, None, None, 'No clip came: drop or record one.'
  path = pathlib.Path(upload['path'])
  if not path.is_file():  # The same bytes that come twice lie in one place.
    reason = 'it came twice at once, or waited too long; drop it again.'
    return None, None, None, f'{path.name} is gone: {reason}'
  try:
    return None, *recognise(recognizer, max_seconds, path)
  finally:
    uploads.delete(path)


def describe(prediction: Prediction, reads: Collection[str]) -> str:
  """Says what a clip was taken for, and from what, in plain lines.

  `reads` are the modalities of the model, 'video', 'audio' or both.
  """
  doubt = ', uncertain: more likely wrong than right' * prediction.uncertain
  lines = [
    f'Taken for {prediction.label}, at {prediction.confidence:.0%}{doubt}.'
  ]
  faces = ''
  if prediction.face_share is not None:
    faces = f'A face in {prediction.face_share:.0%} of the frames.'
  for modality, name, found in (
    ('audio', 'Sound', _heard(prediction)),
    ('video', 'Picture', faces),
  ):
    if modality in prediction.modalities:
      use = 'used'
    elif modality in reads:
      use = 'not used, see the notes'
    else:
      use = 'not used: this model does not read it'
    lines.append(f'{name} {use}. {found}'.strip())
  lines += [f'Note: {note}.' for note in prediction.warnings]
  return '\n'.join(lines)


def _heard(prediction: Prediction) -> str:
  loudness = prediction.features.loudness
  if loudness is None:
    return ''
  voiced = (loudness >= windows.QUIETEST_VOICE_DB).mean()
  return (
    f'Loudest at {loudness.max():.0f} dBFS; for {voiced:.0%} of the time'
    f' louder than {windows.QUIETEST_VOICE_DB:.0f}, which is taken for a voice.'
  )
