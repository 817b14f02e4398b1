"""Recognises the emotion of clips.

  avemotion CLIP… [--plot] [--explain]
  avemotion CLIP --annotate=annotated.mp4
  avemotion CLIP… --checkpoint=runs/audio/fold_0

Without --checkpoint, uses the bundled model, which reads face and voice, or
only the voice without the extra avemotion[face]. Its weights are licensed under
CC BY-NC-SA 4.0: no commercial use.
Prints a table for each clip, or one JSON object per line with --json, and the
model to standard error. Clips that cannot be read or that crash the decoder are
reported there; the others are still recognised, and the exit code is 1.
"""

import collections
import functools
import json
import pathlib
import sys

from avemotion.apps.commands.command_line import Command, track_index
from avemotion.apps.worker import Here, Worker, WorkerEnded
from avemotion.features import compilation
from avemotion.recognition import annotation, media_writer
from avemotion.recognition.recognizer import Prediction, Recognizer

_COMMAND = Command('predict', __doc__, arguments=True)
_CHECKPOINT = _COMMAND.shared_flag('checkpoint')
_VGG16_WEIGHTS = _COMMAND.shared_flag('vgg16_weights')
_JSON = _COMMAND.boolean('json', False, 'print JSON lines instead of tables')
_PLOT = _COMMAND.boolean(
  'plot', False, 'plot each clip over time to PLOT_DIR/CLIP.timeline.png'
)
_PLOT_DIR = _COMMAND.string('plot_dir', '.', 'directory of the plots')
_EXPLAIN = _COMMAND.boolean(
  'explain',
  False,
  'print which moments of audio and video, and which parts of the face, support'
  ' the label; with --plot, plot their attributions, too',
)
_ANNOTATE = _COMMAND.string(
  'annotate',
  None,
  'write a copy of the clip with face box and probabilities to this .mp4, .mov'
  ' or .mkv; one clip only',
)
_ENROL = _COMMAND.strings(
  'enrol',
  [],
  "clip of the same speaker, with any emotion, to learn the speaker's mean"
  ' features; may be repeated',
)
_FACE = _COMMAND.choice(
  'face',
  'largest',
  ['largest', 'all'],
  'largest: track the largest face; all: predict the emotion of each person',
)


_AUDIO_TRACK = _COMMAND.track_flag('audio_track')
_VIDEO_TRACK = _COMMAND.track_flag('video_track')


@_COMMAND.runs
def main(clips: list[str]) -> int:
  """Predicts each clip named on the command line."""
  if not clips:
    raise ValueError('expected at least one clip, got none')
  if _ANNOTATE.value:
    if len(clips) > 1 or _FACE.value == 'all':
      raise ValueError('--annotate expects one clip and --face=largest')
    media_writer.check_name(_ANNOTATE.value)
  load = functools.partial(
    _load,
    _CHECKPOINT.value,
    _VGG16_WEIGHTS.value,
    _ENROL.value,
    illustrate=_PLOT.value or bool(_ANNOTATE.value),
  )
  predict = functools.partial(
    _predict,
    everyone=_FACE.value == 'all',
    explained=_EXPLAIN.value,
    audio_track=track_index(_AUDIO_TRACK),
    video_track=track_index(_VIDEO_TRACK),
  )
  failed = False
  pictures: collections.Counter[str] = collections.Counter()
  made = Worker(load) if len(clips) > 1 else Here(load)
  with made as model:
    print(f'model: {model.run(Recognizer.describe)}', file=sys.stderr)
    for clip in clips:
      stem = pathlib.Path(clip).stem
      try:
        for prediction in model.run(predict, clip):
          pictures[stem] += 1
          _show(prediction, pictures[stem])
      except (ValueError, OSError) as error:
        named = f'{clip}: ' * isinstance(error, WorkerEnded)
        print(f'avemotion predict: {named}{error}', file=sys.stderr)
        failed = True
  return int(failed)


def _load(
  checkpoint: str | None,
  vgg16_weights: str | None,
  enrolled: list[str],
  *,
  illustrate: bool,
) -> Recognizer:
  compilation.cache_on_disk()
  model = Recognizer.from_checkpoint(
    checkpoint, vgg16_weights, illustrate=illustrate
  )
  if enrolled:
    model.enrol(enrolled)
  return model


def _predict(
  model: Recognizer,
  clip: str,
  *,
  everyone: bool,
  explained: bool,
  **tracks: int | None,
) -> list[Prediction]:
  if everyone:
    found = model.predict_people(clip, **tracks)
  else:
    found = [model.predict(clip, **tracks)]
  return [model.explain(each) for each in found] if explained else found


def _show(prediction: Prediction, number: int) -> None:
  shown = json.dumps(prediction.to_json()) if _JSON.value else prediction
  print(shown, flush=True)
  if _PLOT.value:
    _draw(prediction, number)
  if _ANNOTATE.value:
    annotation.annotate(prediction, _ANNOTATE.value)
    print(f'annotated: {_ANNOTATE.value}', file=sys.stderr)


def _draw(prediction: Prediction, number: int) -> None:
  """Plots the timeline; clips with the same name get numbers."""
  directory = pathlib.Path(_PLOT_DIR.value)
  directory.mkdir(parents=True, exist_ok=True)
  suffix = f'.{number}' if number > 1 else ''
  stem = pathlib.Path(prediction.clip).stem
  path = directory / f'{stem}.timeline{suffix}.png'
  prediction.save_plot(path)
  print(f'timeline: {path}', file=sys.stderr)
