"""The page's answer to a clip: recognised, put into words, and deleted."""

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

# Probabilities by label, the timeline's picture as a data URL of a PNG, and
# plain text, for Gradio's Label, Plot and Textbox. Text alone says why there is
# none.
Answer = tuple[dict[str, float] | None, str | None, str]


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
  png = io.BytesIO()
  timeline.draw(prediction).savefig(png, format='png')
  picture = base64.b64encode(png.getvalue()).decode()
  url = f'data:image/png;base64,{picture}'
  return dict(prediction.probabilities), url, words


def ask(
  worker: Worker[Recognizer], max_seconds: float, path: str | os.PathLike[str]
) -> Answer:
  """Answers a clip as `recognise`, in the worker's process.

  Whatever a clip does to that process, there is an answer.
  """
  try:
    return worker.run(recognise, max_seconds, path)
  except WorkerEnded as error:
    name = os.path.basename(path)
    advice = 'the clip may be damaged: write it anew, and upload that'
    return None, None, f'{name}: {error}; {advice}'


def ask_and_delete(
  worker: Worker[Recognizer],
  max_seconds: float,
  folder: str,
  upload: Mapping[str, Any] | None,
) -> tuple[Any, ...]:
  """Answers a clip of the folder of uploads, as `ask`, and deletes it.

  Gradio's `FileData` has its 'path'; None: none came, or none of the folder.
  The first value, None, empties where it was dropped.
  """
  path = uploads.find(folder, upload['path']) if upload else None
  if path is None:
    return None, None, None, 'No such clip; upload it again.'
  try:
    return None, *ask(worker, max_seconds, path)
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
  return f'Loudest at {loudness.max():.0f} dBFS in the band of voices.'
