"""Emotion recognition of clips and streams with a trained model."""

import dataclasses
import os
import pathlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

import numpy as np

from avemotion.features import clip as clip_lib
from avemotion.features import front_ends, landmark_detector, landmarks
from avemotion.features.clip import ClipError, ClipFeatures
from avemotion.features.media import Path
from avemotion.features.sampling import FRAMES_PER_SECOND
from avemotion.models.fusion import JOINT
from avemotion.recognition import window_classifier, windows
from avemotion.recognition.explanation import Explanation, attribute
from avemotion.recognition.prediction import ClipFailure, Prediction, named
from avemotion.recognition.streaming import Session
from avemotion.recognition.window_classifier import Answers
from avemotion.training import weights
from avemotion.training.logs import log
from avemotion.training.trained_model import TrainedModel


class Recognizer:
  """A trained model with its feature extraction, loaded once for many clips.

  `modalities` are the ones in use: 'video', 'audio' or both. A path may be
  anything that FFmpeg opens.
  """

  def __init__(
    self,
    model: TrainedModel,
    vgg16_weights: Path | None = None,
    *,
    illustrate: bool = False,
    modalities: Sequence[str] | None = None,
  ) -> None:
    """Loads the detectors and encoders of the modalities.

    Args:
      model: from `checkpoints.load` or `weights.load`.
      vgg16_weights: the weights file that the model was trained on, see
        `features.vgg16_weights`.
      illustrate: finds faces for plots even if the model reads no video.
      modalities: the modalities to use; None: all that the model reads.

    Raises:
      ValueError: the model was trained on features that no front end extracts,
        the weights cannot be used, or the landmark detector is not installed.
    """
    self._model = model
    self._front_ends = front_ends.reading(model.sources, model.feature_dims)
    trained = model.config.model.modalities
    self.modalities: tuple[str, ...] = tuple(modalities or trained)
    if not set(self.modalities) <= set(trained):
      raise ValueError(f'expected some of {trained}, got {self.modalities}')
    # Any front end serves for a picture that is only shown.
    video = self._front_ends.get('video', front_ends.VGG16).name
    audio = self._front_ends.get('audio', front_ends.MFCC).name
    self._extract = clip_lib.Extractor(
      self.modalities,
      vgg16_weights,
      video=video,
      audio=audio,
      illustrate=illustrate,
    )
    self._classify = window_classifier.WindowClassifier(model, self._front_ends)
    self._without: dict[str, str] = {}  # Why a modality is not in use.
    self._trained_on: set[str] = set()  # Names of training clips, if known.

  @classmethod
  def from_checkpoint(
    cls,
    path: Path | None = None,
    vgg16_weights: Path | None = None,
    *,
    illustrate: bool = False,
  ) -> Self:
    """Loads a trained model from a path; None: the bundled model.

    The bundled model reads face landmarks and sound; without the extra `face`,
    which detects landmarks, it reads sound alone.

    Raises:
      CheckpointError: there is no model at the path, or it is damaged.
      ValueError: as for the constructor.
    """
    model = weights.load_model(path)
    reads: tuple[str, ...] = model.config.model.modalities
    without = {}
    if path is None and not landmark_detector.is_installed():
      reads = ('audio',)
      hint = f'faces are not read without dlib: {landmark_detector.INSTALL}'
      without = {'video': hint}
    made = cls(model, vgg16_weights, illustrate=illustrate, modalities=reads)
    made._without = without
    made._trained_on = {*map(_performance, weights.trained_on(path))}
    return made

  def describe(self) -> str:
    """Returns one line: the model's inputs and its training data."""
    data = self._model.config.data
    reads = (f'{m} ({self._front_ends[m].source})' for m in self.modalities)
    dataset = data.dataset
    if dataset.endswith('.npz'):
      dataset = pathlib.PurePath(dataset).stem
    trained = f'a fold of {data.protocol} in {dataset}'
    if data.protocol == 'everyone':
      trained = self._model.about or f'all of {dataset}'
    told = [f'{" and ".join(reads)}, trained on {trained}']
    return '; '.join([*told, *self._without.values()])

  @property
  def expected(self) -> tuple[str, ...]:
    """Modalities in use, and those whose extra is not installed."""
    return tuple(
      m for m in self._front_ends if m in {*self.modalities, *self._without}
    )

  def enrol(self, paths: Iterable[Path]) -> None:
    """Learns a speaker's mean features from clips of several emotions.

    Later predictions are for this speaker: their features are shifted so that
    the speaker's mean becomes that of the training clips (`data.enrolment`).
    Enrolment does not change a branch with `cmn`, such as the voice branch of
    the bundled model, which subtracts the mean of every clip already.

    Raises:
      ClipError: a clip cannot be read.
      ValueError: no clip contains a modality that enrolment changes.
    """
    if self._without:
      raise ValueError(f'enrolment needs faces; {self._without["video"]}')
    given = [*paths]
    useful = self._classify.enrol(
      windows.evident(windows.tracks_of(self._extract(path))) for path in given
    )
    for path, used in zip(given, useful, strict=True):
      if not used:
        log.warning('%s is not used: no voice and no face was found', path)

  def predict(
    self,
    path: Path,
    *,
    audio_track: int | None = None,
    video_track: int | None = None,
  ) -> Prediction:
    """Recognises the emotion of one clip of any length.

    A clip of more than six seconds is recognised in six-second windows, one
    every half second, and the answer is their mean. `warnings` of the
    prediction name a missing modality. Tracks are numbered from 0 among the
    audio or video tracks of the file; None: the default track, or the next one
    if that is silent or damaged.

    Raises:
      ClipError: the clip cannot be read, lacks the track or every modality of
        the model, or contains neither a voice nor a face.
    """
    try:
      features = self._extract(
        path, audio_track=audio_track, video_track=video_track
      )
      return self._predict(path, features)
    except ClipError as error:
      if self._without:
        hints = '; '.join(self._without.values())
        raise ClipError(f'{error}; {hints}') from error
      raise

  def predict_people(
    self,
    path: Path,
    *,
    audio_track: int | None = None,
    video_track: int | None = None,
  ) -> list[Prediction]:
    """Recognises every person in a clip, in order of appearance.

    All predictions share the sound, because the speaker is not identified.

    Raises:
      ClipError: as `predict`.
      ValueError: the model reads no video.
    """
    if self._without:
      hint = self._without['video']
      raise ValueError(f'people are distinguished by their faces; {hint}')
    people = self._extract.people(
      path, audio_track=audio_track, video_track=video_track
    )
    return [
      self._predict(path, features, number if len(people) > 1 else None)
      for number, features in enumerate(people, 1)
    ]

  def predict_many(
    self, paths: Iterable[Path]
  ) -> Iterator[Prediction | ClipFailure]:
    """Yields for each clip its prediction, or the reason that there is none."""
    for path in paths:
      try:
        yield self.predict(path)
      except (ValueError, OSError) as error:
        yield ClipFailure(os.fspath(path), str(error))

  def stream(self) -> Session:
    """Starts a session that recognises one speaker's frames and samples."""
    return Session(self._classify, self._extract)

  def explain(self, prediction: Prediction) -> Prediction:
    """Returns the prediction with its `explanation`.

    For a clip of several windows, the window with the label's highest
    probability is explained.
    """
    tracks = windows.tracks_of(prediction.features)
    ends = windows.window_ends(tracks)
    label = self._model.label_names.index(prediction.label)
    strongest = np.nanargmax(prediction.timeline[-len(ends) :, label])
    read = self._classify.read(windows.window(tracks, ends[strongest]))
    inputs = {name: track.rows for name, track in read.items()}
    features = attribute(self._model, inputs, label)
    by_part = {}
    sees_points = self._front_ends.get('video') is front_ends.LANDMARKS
    if sees_points and 'video' in features:
      by_part = landmarks.by_part(features['video'])
    found = Explanation(
      prediction.label,
      {name: track.seconds for name, track in read.items()},
      {name: values.sum(axis=-1) for name, values in features.items()},
      by_part,
    )
    return dataclasses.replace(prediction, explanation=found)

  def _predict(
    self, path: Path, features: ClipFeatures, person: int | None = None
  ) -> Prediction:
    seconds, branches, answer = self._recognise(features)
    if np.isnan(answer).any():
      nobody = (
        f'no voice above {windows.QUIETEST_VOICE_DB:.0f} dBFS and no face was'
        ' found'
      )
      reasons = '; '.join([nobody, *features.warnings])
      raise ClipError(f'{path}: nothing to recognise: {reasons}')
    used = tuple(
      name
      for name in features.modalities
      if name not in branches or np.isfinite(branches[name]).any()
    )
    found = features.face_found if 'video' in self.modalities else None
    alone = used if len(used) > 1 else ()
    return Prediction(
      clip=os.fspath(path),
      label=self._model.label_names[answer.argmax()],
      probabilities=named(self._model.label_names, answer),
      modalities=used,
      seconds=features.seconds,
      face_share=None if found is None else float(found.mean()),
      timeline_seconds=seconds.astype(np.float32),
      timeline=branches.pop(JOINT),
      warnings=features.warnings + self._warnings(used) + self._known(path),
      features=features,
      branches={k: branches[k] for k in alone},
      held_out=self._model.held_out_of(used),
      person=person,
    )

  def _recognise(
    self, features: ClipFeatures
  ) -> tuple[np.ndarray, Answers, np.ndarray]:
    """Returns the timeline's seconds and answers, and the clip's answer."""
    tracks = windows.tracks_of(features)
    ends = windows.window_ends(tracks)
    # Points within the first window: every 1/7.5 s from the clip's start.
    step = 1 / FRAMES_PER_SECOND
    end = features.seconds if len(ends) == 1 else ends[0]
    points = np.append(np.arange(step, end - step / 2, step), end)
    first, *later = (windows.window(tracks, end) for end in ends)
    answers = self._classify.over_time(first, points)
    if later:
      whole = self._classify.whole(later)
      answers = window_classifier.joined([answers, whole])
    of_windows = answers[JOINT][len(points) - 1 :]
    known = of_windows[~np.isnan(of_windows).any(axis=-1)]
    answer = known.mean(axis=0) if len(known) else of_windows[0]
    return np.append(points, ends[1:]), answers, answer

  def _known(self, path: Path) -> tuple[str, ...]:
    known = _performance(pathlib.PurePath(path).stem) in self._trained_on
    return ('the model was trained on this clip',) * known

  def _warnings(self, used: tuple[str, ...]) -> tuple[str, ...]:
    missing = set(self.expected) - set(used)
    expected = 'the model expects an enrolled speaker (--enrol)'
    return (expected,) * self._classify.lacks_speaker + tuple(
      self._without.get(
        name, f'recognised without {name}, though the model was trained with it'
      )
      for name in sorted(missing)
    )


def _performance(clip_id: str) -> str:
  """Returns a clip's name, for RAVDESS without the modality (01 to 03).

  A video clip and its audio-only recording then have the same name.
  """
  name = pathlib.PurePath(clip_id).name
  return name[3:] if re.fullmatch(r'\d\d(-\d\d){6}', name) else name
