"""Recognition of a stream of frames and samples."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping

import numpy as np

from avemotion.features import visual
from avemotion.features.acoustic import MFCC_ROWS, AcousticStream, Sound
from avemotion.features.clip import Extractor
from avemotion.features.face_encoders import FaceEncoder
from avemotion.features.faces import FaceOfFrame, FaceStream
from avemotion.features.sampling import FrameSampler
from avemotion.models.fusion import JOINT
from avemotion.recognition import windows
from avemotion.recognition.prediction import named
from avemotion.recognition.window_classifier import WindowClassifier
from avemotion.recognition.windows import Track, Tracks

# A modality may lag behind the other by this much; later rows are left out.
_LONGEST_LAG = 5.0  # seconds
# Frames wait to be encoded in one batch, at most for the duration of ten.
_LONGEST_WAIT = 1.5  # seconds


@dataclasses.dataclass(frozen=True)
class Moment:
  """The emotion at a moment of a stream, computed on first access.

  Predictions are lazy: the encoder and the model run only when you read
  `probabilities` or `label`. `seconds` is the time of the last complete row.
  """

  seconds: float
  _recognise: Callable[[], Mapping[str, float] | None]

  @functools.cached_property
  def probabilities(self) -> Mapping[str, float] | None:
    """Probabilities by label for the last six seconds; at the end, for all.

    None in a gap: no voice and no face was found.
    """
    return self._recognise()

  @property
  def label(self) -> str | None:
    """The most probable label; None in a gap."""
    if self.probabilities is None:
      return None
    return max(self.probabilities, key=self.probabilities.__getitem__)


class Session:
  """A stream of one speaker, from `Recognizer.stream`.

  Its final probabilities equal those of `Recognizer.predict` for a file of the
  same frames and samples. A session keeps the rows of the last window, the rows
  that one modality is ahead of the other, and up to ten crops to encode. Its
  methods raise a `ValueError` after `finish`.
  """

  def __init__(self, classify: WindowClassifier, extract: Extractor) -> None:
    """Starts a stream of the extractor's modalities."""
    self._classify = classify
    self._tracks = {
      modality: Track.empty(classify.front_ends[modality].row_dim)
      for modality in extract.modalities
    }
    if 'audio' in self._tracks:
      make_rows = classify.front_ends['audio'].make_rows
      self._sound = AcousticStream(make_rows or MFCC_ROWS)
      self._voice = windows.VoiceDetector()
    if 'video' in self._tracks:
      self._faces = FaceStream(extract.crop_faces)
    self._encode = extract.encode
    self._sampler = FrameSampler()
    self._last_seconds = -math.inf
    self._frames = _Frames(self._encode)  # Frames that are not encoded yet.
    # Sum and number of the answers of complete windows.
    self._next_end = windows.WINDOW_SECONDS
    self._sum = np.zeros(len(classify.model.label_names))
    self._count = 0
    self._finished = False

  def warm_up(self) -> None:
    """Compiles the programs, so that the first push is fast."""
    if self._encode is not None:
      self._encode.warm_up()
    self._classify.whole([self._tracks])

  def push_audio(self, samples: np.ndarray) -> Moment | None:
    """Adds the next samples; the first of the stream is at time zero.

    Args:
      samples: float32[samples], mono, at 48 kHz, within [-1, 1].

    Returns:
      The moment; None if no feature row is complete yet (a row lasts 43 ms for
      MFCC, 10 ms otherwise) or if the model reads no audio.

    Raises:
      ValueError: the samples are not floating point, 1-D and finite.
    """
    self._check_open()
    if 'audio' not in self._tracks:
      return None
    if samples.dtype.kind != 'f':
      raise ValueError(
        f'expected float32 samples within [-1, 1], got {samples.dtype};'
        ' divide int16 by 32768'
      )
    heard = self._sound.push(samples)
    if not len(heard.rows):
      return None
    self._join_sound(heard)
    return self._moment()

  def push_frame(self, image: np.ndarray, seconds: float) -> Moment | None:
    """Adds the next frame.

    Args:
      image: uint8[height, width, 3], RGB, upright.
      seconds: its time on the clock of the samples, later than that of the last
        frame and within five seconds of the last sample.

    Returns:
      The moment; None if the frame is not sampled (7.5 frames a second are) or
      if the model reads no video.

    Raises:
      ValueError: the image has another shape or type, or an earlier time.
    """
    self._check_open()
    if 'video' not in self._tracks:
      return None
    is_image = image.ndim == 3 and image.shape[2] == 3 and image.size
    if not is_image or image.dtype != np.uint8:
      raise ValueError(
        'expected an image uint8[height, width, 3], got'
        f' {image.dtype}{list(image.shape)}'
      )
    if not self._last_seconds < seconds < math.inf:
      raise ValueError(
        f'expected a frame later than the last one, {self._last_seconds:.3f} s,'
        f' got {seconds:.3f} s'
      )
    self._last_seconds = seconds
    times = self._sampler.push(seconds)
    if not times:
      return None
    self._frames.add(self._faces.push(seconds, image), times)
    return self._moment()

  def finish(self) -> Moment:
    """Ends the stream; returns the moment with its overall probabilities."""
    self._check_open()
    if 'audio' in self._tracks:
      self._join_sound(self._sound.finish())
    self._take_frames()
    self._finished = True
    *ends, end = windows.window_ends(self._tracks)
    for each in [*(each for each in ends if each >= self._next_end), end]:
      self._count_in(each)
    mean = self._sum / self._count if self._count else None
    return Moment(end, lambda: self._named(mean))

  def _moment(self) -> Moment:
    """Returns the current moment, which encodes waiting frames on demand."""
    now = windows.end_of(self._tracks)
    if self._frames:
      first, last = self._frames.span
      now = max(now, last)
      if self._frames.is_full or now > first + _LONGEST_WAIT:
        self._take_frames()
    if not self._frames:
      self._count_what_is_past(now)
    tracks, waiting = dict(self._tracks), self._frames
    # Leave out frames that are added after this moment.
    frames = len(waiting)

    def recognise() -> dict[str, float] | None:
      known = _with_frames(tracks, waiting, frames)
      return self._named(self._answer(windows.window(known, now)))

    return Moment(now, recognise)

  def _count_what_is_past(self, now: float) -> None:
    """Adds complete windows to the sum and drops rows out of use."""
    while self._is_past(self._next_end, now):
      self._count_in(self._next_end)
      self._next_end += windows.HOP_SECONDS
    until = min(self._next_end, now) - windows.WINDOW_SECONDS
    if until <= 0:  # The first window includes the row at 0 s.
      until = -math.inf
    for modality, track in self._tracks.items():
      # The last row stays: its time is the modality's progress.
      later = track.between(until, np.inf)
      self._tracks[modality] = later if len(later) else track[-1:]

  def _take_frames(self) -> None:
    """Encodes the waiting frames, and starts a new list."""
    taken, self._frames = self._frames, _Frames(self._encode)
    self._tracks = _with_frames(self._tracks, taken, len(taken))

  def _join_sound(self, heard: Sound) -> None:
    later = self._voice.push(heard)
    self._tracks['audio'] = self._tracks['audio'].joined(later)

  def _is_past(self, end: float, now: float) -> bool:
    return all(
      (last := track.seconds[-1] if len(track) else 0.0) > end
      or now > max(end, last + _LONGEST_LAG)
      for track in self._tracks.values()
    )

  def _count_in(self, end: float) -> None:
    answer = self._answer(windows.window(self._tracks, end))
    if answer is not None:
      self._sum += answer
      self._count += 1

  def _answer(self, window: Tracks) -> np.ndarray | None:
    (answer,) = self._classify.whole([window])[JOINT]
    return None if np.isnan(answer).any() else answer

  def _named(self, answer: np.ndarray | None) -> dict[str, float] | None:
    names = self._classify.model.label_names
    return None if answer is None else named(names, answer)

  def _check_open(self) -> None:
    if self._finished:
      raise ValueError('the session is finished; start another one')


class _Frames:
  """Frames of a stream, encoded on demand.

  VGG16 encodes a batch of ten crops in a third of the time of ten batches.
  """

  def __init__(self, encode: FaceEncoder | None) -> None:
    self._encode = encode
    self._faces: list[FaceOfFrame] = []
    self._times: list[int] = []  # Number of rows of each face.
    width = encode.front_end.row_dim if encode else 0
    self._encoded = np.zeros((0, width), np.float32)

  def __len__(self) -> int:
    return len(self._faces)

  @property
  def is_full(self) -> bool:
    return len(self) >= visual.LARGEST_PIECE

  @property
  def span(self) -> tuple[float, float]:
    """Times of the first and the last frame, in seconds."""
    return self._faces[0].seconds, self._faces[-1].seconds

  def add(self, face: FaceOfFrame, times: int) -> None:
    self._faces.append(face)
    self._times.append(times)

  def track(self, frames: int) -> Track:
    """Encodes new frames; returns the first `frames` as a track."""
    fresh = self._faces[len(self._encoded) :]
    if fresh and self._encode:
      self._encoded = np.concatenate([self._encoded, self._encode(fresh)])
    seconds = np.array([face.seconds for face in self._faces], np.float32)
    known = np.array([face.known for face in self._faces], bool)
    steps = np.repeat(np.arange(frames), self._times[:frames])
    return Track(self._encoded, seconds, known)[steps]


def _with_frames(
  tracks: Mapping[str, Track], waiting: _Frames, frames: int
) -> dict[str, Track]:
  if not frames:
    return dict(tracks)
  seen = tracks['video'].joined(waiting.track(frames))
  return {**tracks, 'video': seen}
