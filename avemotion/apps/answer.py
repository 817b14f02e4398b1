"""A prediction as HTML: the emotion, its rivals, and what it was taken from."""

import base64
import html
import os
import pathlib
import tempfile
from collections.abc import Collection, Iterable

from avemotion.emotions import COLOURS
from avemotion.recognition import windows
from avemotion.recognition.prediction import Prediction

_GREY = '#8c8c8c'  # of a label that is no emotion of ours
_TRACKS = {'audio': 'Sound', 'video': 'Picture'}


def to_html(prediction: Prediction, reads: Collection[str]) -> str:
  """Shows a prediction.

  Args:
    prediction: of one clip; crops among its features are shown, whether or not
      the model reads them.
    reads: modalities of the model, 'video', 'audio' or both.

  Returns:
    HTML that holds all it shows, the pictures too: no file stays behind.
  """
  label = html.escape(prediction.label)
  doubt = ', uncertain' if prediction.uncertain else ''
  return (
    f'<section class="answer" data-label="{label}">'
    f'<h2>Taken for <b style="border-color: {_colour(prediction.label)}">'
    f'{label}</b>, at {prediction.confidence:.0%}{doubt}</h2>'
    f'{_bars(prediction)}'
    f'{_timeline(prediction)}'
    f'<h3>What it was taken from</h3>{_evidence(prediction, reads)}'
    '</section>'
  )


def failure_to_html(reason: str) -> str:
  """Shows why a clip has no prediction.

  Args:
    reason: a sentence.

  Returns:
    HTML.
  """
  return f'<p class="failure" role="alert">{html.escape(reason)}</p>'


def _bars(prediction: Prediction) -> str:
  """A bar for each label, the likeliest first."""
  ranked = sorted(prediction.probabilities.items(), key=lambda item: -item[1])
  return _list(
    'bars',
    (
      f'<span class="name">{html.escape(name)}</span>'
      f'<span class="track"><span class="bar" data-name="{html.escape(name)}"'
      f' data-probability="{share}" style="width: {share:.1%};'
      f' background: {_colour(name)}"></span></span>'
      f'<span class="share">{share:.1%}</span>'
      for name, share in ranked
    ),
  )


def _timeline(prediction: Prediction) -> str:
  """The picture of it, within the page."""
  with tempfile.TemporaryDirectory(prefix='avemotion_timeline_') as folder:
    path = pathlib.Path(folder, 'timeline.png')
    prediction.save_plot(path)
    encoded = base64.b64encode(path.read_bytes()).decode()
  return (
    f'<img class="timeline" src="data:image/png;base64,{encoded}"'
    f' alt="{html.escape(os.path.basename(prediction.clip))}: probabilities'
    ' over time, loudness, and faces">'
  )


def _evidence(prediction: Prediction, reads: Collection[str]) -> str:
  """What was heard and seen, what of it was used, and what is doubtful."""
  found = {'audio': _heard(prediction), 'video': _seen(prediction)}
  lines = []
  for modality, name in _TRACKS.items():
    if modality in prediction.modalities:
      use = 'used'
    elif modality in reads:
      use = '<b>not used</b>, see the notes'
    else:
      use = 'not used: this model does not read it'
    lines.append(f'{name} {use}. {found[modality]}'.strip())
  notes = (f'Note: {html.escape(note)}.' for note in prediction.warnings)
  return _list('evidence', [*lines, *notes])


def _heard(prediction: Prediction) -> str:
  loudness = prediction.features.loudness
  if loudness is None:
    return ''
  voiced = (loudness >= windows.QUIETEST_VOICE_DB).mean()
  return (
    f'Loudest at {loudness.max():.0f} dBFS; for {voiced:.0%} of the time'
    f' louder than {windows.QUIETEST_VOICE_DB:.0f}, which is taken for a voice.'
  )


def _seen(prediction: Prediction) -> str:
  if prediction.face_share is None:
    return ''
  return f'A face in {prediction.face_share:.0%} of the frames.'


def _list(name: str, items: Iterable[str]) -> str:
  return f'<ul class="{name}"><li>{"</li><li>".join(items)}</li></ul>'


def _colour(label: str) -> str:
  return COLOURS.get(label, _GREY)
