"""Recognition while a clip is still being heard and seen."""

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
from avemotion.features.media import FrameSampler
from avemotion.models.fusion import JOINT
from avemotion.recognition import windows
from avemotion.recognition.prediction import named
from avemotion.recognition.window_classifier import WindowClassifier
from avemotion.recognition.windows import Track, Tracks

# A modality that is further behind the other is waited for no longer.
_LONGEST_LAG = 5.0  # seconds
# Frames wait to be encoded together, but not longer than ten of them take.
_LONGEST_WAIT = 1.5  # seconds


@dataclasses.dataclass(frozen=True)
class Moment:
  """The emotion at a moment of a stream, recognised when it is asked for.

  `seconds` is when its last row was complete.
  """

  seconds: float
  _recognise: Callable[[], Mapping[str, float] | None]

  @functools.cached_property
  def probabilities(self) -> Mapping[str, float] | None:
    """Probabilities by label, of the last six seconds; at the end, of all.

    None in a gap: nobody was heard or seen.
    """
    return self._recognise()

  @property
  def label(self) -> str | None:
    """The label of the largest probability; None in a gap."""
    if self.probabilities is None:
      return None
    return max(self.probabilities, key=self.probabilities.__getitem__)


class Session:
  """A stream of one speaker, from `Recognizer.stream`.

  It ends at the probabilities that `Recognizer.predict` gives for a file of the
  same frames and samples. It holds the rows of the last window, those that one
  modality is ahead of the other, and up to ten crops that nobody needed yet.
  Once it has been finished, its methods raise a `ValueError`.
  """

  def __init__(self, classify: WindowClassifier, extract: Extractor) -> None:
    """Starts a stream of the modalities that are extracted."""
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
    self._frames = _Frames(self._encode)  # That are not encoded yet.
    # Of the windows that are past: their answers' sum and number.
    self._next_end = windows.WINDOW_SECONDS
    self._sum = np.zeros(len(classify.model.label_names))
    self._count = 0
    self._finished = False

  def warm_up(self) -> None:
    """Compiles the programs, so that the first pieces do not wait."""
    if self._encode is not None:
      self._encode.warm_up()
    self._classify.whole([self._tracks])

  def push_audio(self, samples: np.ndarray) -> Moment | None:
    """Takes the next samples, the first of all at time zero.

    They are float32[samples], mono, at 48 kHz, within [-1, 1]; any number.
    Returns what is recognised now; None where no row became complete, of which
    there is one every 43 ms (MFCC) or 10 ms, or the model does not listen.

    Raises:
      ValueError: the samples are not as above.
    """
    self._check_open()
    if 'audio' not in self._tracks:
      return None
    if samples.dtype.kind != 'f':
      raise ValueError(
        f'expected samples in float32 within [-1, 1], got {samples.dtype};'
        ' divide int16 by 32768'
      )
    heard = self._sound.push(samples)
    if not len(heard.rows):
      return None
    self._join_sound(heard)
    return self._moment()

  def push_frame(self, image: np.ndarray, seconds: float) -> Moment | None:
    """Takes the next frame.

    Args:
      image: uint8[height, width, 3], RGB, upright.
      seconds: when it is shown, on the clock of the samples; later than the
        frame before, and within five seconds of the sound that is known.

    Returns:
      What is recognised now; None where the frame is none of the 7.5 a second
      that are looked at, or the model does not see.

    Raises:
      ValueError: the image or its time is not as above.
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
        'a frame must be later than the one before, at'
        f' {self._last_seconds:.3f} s, got {seconds:.3f} s'
      )
    self._last_seconds = seconds
    times = self._sampler.push(seconds)
    if not times:
      return None
    self._frames.add(self._faces.push(seconds, image), times)
    return self._moment()

  def finish(self) -> Moment:
    """Ends the stream, and returns the probabilities of the whole of it."""
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
    """Returns the moment of now, whose waiting frames are encoded on demand."""
    now = windows.end_of(self._tracks)
    if self._frames:
      first, last = self._frames.span
      now = max(now, last)
      if self._frames.is_full or now > first + _LONGEST_WAIT:
        self._take_frames()
    if not self._frames:
      self._count_what_is_past(now)
    tracks, waiting = dict(self._tracks), self._frames
    # Frames that come later are not part of this moment.
    frames = len(waiting)

    def recognise() -> dict[str, float] | None:
      known = _with_frames(tracks, waiting, frames)
      return self._named(self._answer(windows.window(known, now)))

    return Moment(now, recognise)

  def _count_what_is_past(self, now: float) -> None:
    """Adds windows that are complete to the sum, and drops their rows."""
    while self._is_past(self._next_end, now):
      self._count_in(self._next_end)
      self._next_end += windows.HOP_SECONDS
    until = min(self._next_end, now) - windows.WINDOW_SECONDS
    if until <= 0:  # The first window holds the row at 0 s, too.
      until = -math.inf
    for modality, track in self._tracks.items():
      # A modality's last row tells how far it has come.
      later = track.between(until, np.inf)
      self._tracks[modality] = later if len(later) else track[-1:]

  def _take_frames(self) -> None:
    """Encodes the frames that wait; later ones are others."""
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
      raise ValueError('the stream has been finished; start another one')


class _Frames:
  """Frames of a stream, whose features are made when they are asked for.

  VGG16 takes ten crops in a third of the time of ten by themselves.
  """

  def __init__(self, encode: FaceEncoder | None) -> None:
    self._encode = encode
    self._faces: list[FaceOfFrame] = []
    self._times: list[int] = []  # Rows of each.
    width = encode.front_end.row_dim if encode else 0
    self._encoded = np.zeros((0, width), np.float32)

  def __len__(self) -> int:
    return len(self._faces)

  @property
  def is_full(self) -> bool:
    return len(self) >= visual.LARGEST_PIECE

  @property
  def span(self) -> tuple[float, float]:
    """When the first and the last frame are shown, in seconds."""
    return self._faces[0].seconds, self._faces[-1].seconds

  def add(self, face: FaceOfFrame, times: int) -> None:
    self._faces.append(face)
    self._times.append(times)

  def track(self, frames: int) -> Track:
    """Returns so many frames, and encodes what was not encoded yet."""
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
