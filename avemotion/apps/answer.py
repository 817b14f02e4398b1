"""Answers of the web page: a clip is recognised, described and deleted."""

import base64
import io
import os
from collections.abc import Collection, Mapping
from typing import Any

from avemotion.apps import uploads
from avemotion.apps.worker import Worker, WorkerEnded
from avemotion.features import containers
from avemotion.recognition import timeline
from avemotion.recognition.prediction import Prediction
from avemotion.recognition.recognizer import Recognizer

# Probabilities by label, the timeline plot as a data URL of a PNG, and plain
# text, for Gradio's Label, Plot and Textbox. After an error only the text is
# set, to the reason.
Answer = tuple[dict[str, float] | None, str | None, str]


def recognise(
  recognizer: Recognizer, max_seconds: float, path: str | os.PathLike[str]
) -> Answer:
  """Returns the answer for a clip, or the reason that there is none.

  `recognizer` must be made with `illustrate=True`, to show faces. A clip longer
  than `max_seconds` is not decoded.
  """
  try:
    seconds = containers.length(path)
    if seconds > max_seconds:
      raise ValueError(
        f'{path}: expected a clip of at most {max_seconds:g} s (--max_seconds),'
        f' got {seconds:.1f} s; cut the clip'
      )
    prediction = recognizer.predict(path)
  except (ValueError, OSError) as error:
    # Users know the clip's name, but not its temporary folder.
    reason = str(error).replace(os.fspath(path), os.path.basename(path))
    return None, None, reason
  words = describe(prediction, recognizer.expected)
  png = io.BytesIO()
  timeline.draw(prediction).savefig(png, format='png')
  picture = base64.b64encode(png.getvalue()).decode()
  url = f'data:image/png;base64,{picture}'
  return dict(prediction.probabilities), url, words


def ask(
  worker: Worker[Recognizer], max_seconds: float, path: str | os.PathLike[str]
) -> Answer:
  """Answers a clip as `recognise`, in the worker's process.

  A crash of that process becomes an answer, too.
  """
  try:
    return worker.run(recognise, max_seconds, path)
  except WorkerEnded as error:
    name = os.path.basename(path)
    advice = 'the clip may be damaged; convert it, and upload it again'
    return None, None, f'{name}: {error}; {advice}'


def ask_and_delete(
  worker: Worker[Recognizer],
  max_seconds: float,
  folder: str,
  upload: Mapping[str, Any] | None,
) -> tuple[Any, ...]:
  """Answers an uploaded clip, as `ask`, and deletes it.

  `upload` is Gradio's `FileData` with a 'path' in `folder`, or None. The first
  returned value is None, which clears the upload component.
  """
  path = uploads.find(folder, upload['path']) if upload else None
  if path is None:
    reason = 'The clip was already processed or has expired; upload it again.'
    return None, None, None, reason
  try:
    return None, *ask(worker, max_seconds, path)
  finally:
    uploads.delete(path)


def describe(prediction: Prediction, reads: Collection[str]) -> str:
  """Describes a prediction and its inputs in plain text.

  `reads` are the modalities of the model, 'video', 'audio' or both.
  """
  doubt = ', uncertain: more likely wrong than right' * prediction.uncertain
  lines = [
    f'Recognised as {prediction.label}, {prediction.confidence:.0%}{doubt}.'
  ]
  if prediction.held_out:
    lines.append(f'90 % sure: {" or ".join(prediction.labels())}.')
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
      use = 'not used by this model'
    lines.append(f'{name} {use}. {found}'.strip())
  lines += [f'Note: {note}.' for note in prediction.warnings]
  return '\n'.join(lines)


def _heard(prediction: Prediction) -> str:
  loudness = prediction.features.loudness
  if loudness is None:
    return ''
  return f'Peak loudness {loudness.max():.0f} dBFS (150 Hz to 5 kHz).'
