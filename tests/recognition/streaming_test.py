"""Tests that `Session` gives the prediction of a file."""

import jax
import numpy as np
import pytest
from small_model import LABELS, make_clip, make_model

from avemotion.features import acoustic, media
from avemotion.recognition import windows
from avemotion.recognition.recognizer import Recognizer


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('streams')


@pytest.fixture(scope='module')
def recognizer():
  return Recognizer(make_model())


def events(path, seed, largest=20_000):
  """Yields pieces of sound and frames of a file, in the order of time."""
  rng = np.random.default_rng(seed)
  waveform = media.read_waveform(path)
  start, pieces = 0, []
  while start < len(waveform):
    end = start + int(rng.integers(1, largest))
    pieces.append((start / 48_000, 'audio', waveform[start:end]))
    start = end
  with media.read_frames(path) as frames:
    pieces += [(seconds, 'video', image) for seconds, image in frames]
  return sorted(pieces, key=lambda piece: piece[0])


def stream(recognizer, pieces):
  session = recognizer.stream()
  moments = []
  for seconds, modality, piece in pieces:
    if modality == 'audio':
      moments.append(session.push_audio(piece))
    else:
      moments.append(session.push_frame(piece, seconds))
  return session, moments


@pytest.mark.parametrize(
  ('seconds', 'seed'),
  [(1.5, 0), pytest.param(7.8, 2, marks=pytest.mark.slow)],
)
def test_it_ends_at_the_probabilities_of_the_file(
  recognizer, folder, seconds, seed
):
  path = folder / f'{seconds}.mp4'
  if not path.exists():
    make_clip(path, seconds=seconds)
  session, moments = stream(recognizer, events(path, seed))
  expected = recognizer.predict(path)
  end = session.finish()
  assert end.probabilities == pytest.approx(expected.probabilities, abs=1e-4)
  assert end.label == expected.label
  known = [moment for moment in moments if moment]
  told = [each.probabilities for each in known if each.probabilities]
  assert len(told) > len(known) / 2
  assert all(set(each) == set(LABELS) for each in told)
  assert (np.diff([each.seconds for each in known]) >= 0).all()


@pytest.mark.slow
def test_a_moment_is_the_same_whenever_it_is_asked_for(recognizer, folder):
  pieces = events(make_clip(folder / 'asked.mp4', seconds=7.8), seed=3)
  _, late = stream(recognizer, pieces)
  session = recognizer.stream()
  for moment, (seconds, modality, piece) in zip(late, pieces, strict=True):
    now = (
      session.push_audio(piece)
      if modality == 'audio'
      else session.push_frame(piece, seconds)
    )
    assert (moment is None) == (now is None)
    if now is None or now.probabilities is None:
      continue
    assert now.seconds == moment.seconds
    assert moment.probabilities == pytest.approx(now.probabilities, abs=1e-5)


def test_crops_that_nobody_needs_yet_are_encoded_together(recognizer, folder):
  pieces = events(make_clip(folder / 'batches.mp4', seconds=4.0), seed=4)
  session = recognizer.stream()
  encode, sizes = session._encode, []

  class Counting:
    front_end = encode.front_end

    def __call__(self, faces):
      sizes.append(len(faces))
      return encode(faces)

  session._encode = Counting()
  session._take_frames()
  for seconds, modality, piece in pieces:
    if modality == 'audio':
      session.push_audio(piece)
    else:
      session.push_frame(piece, seconds)
  session.finish()
  assert sizes == [10, 10, 10]


def test_frames_do_not_wait_for_others_that_never_come(recognizer):
  session = recognizer.stream()
  session.push_frame(np.zeros((120, 160, 3), np.uint8), 0.0)
  session.push_audio(np.zeros(48_000, np.float32))
  assert not len(session._tracks['video'])
  session.push_audio(np.zeros(48_000, np.float32))
  assert len(session._tracks['video']) == 1


def test_a_model_that_takes_off_means_and_silence_streams_too(folder):
  path = make_clip(folder / 'heard.wav', video=False, seconds=2.0)
  shipped = Recognizer.from_checkpoint()
  waveform = media.read_waveform(path)
  session = shipped.stream()
  for piece in np.array_split(waveform, 7):
    session.push_audio(piece)
  assert session.finish().probabilities == pytest.approx(
    shipped.predict(path).probabilities, abs=1e-4
  )


def test_a_moment_comes_with_each_row_and_knows_the_past_only(folder):
  listener = Recognizer(make_model(('audio',)))
  path = make_clip(folder / 'steps.wav', video=False, seconds=1.0)
  waveform = media.read_waveform(path)
  session = listener.stream()
  assert session.push_audio(waveform[:4095]) is None
  first = session.push_audio(waveform[4095:4096])
  assert first.seconds == pytest.approx(4096 / 48_000)
  assert session.push_audio(waveform[4096:6143]) is None
  assert session.push_frame(np.zeros((90, 120, 3), np.uint8), 0.0) is None
  now = session.push_audio(waveform[6143:20_000])
  model = make_model(('audio',))
  rows = acoustic.mfcc(waveform[:20_000])
  assert now.seconds == pytest.approx((2048 * (len(rows) - 1) + 4096) / 48_000)
  logits = model.classifier.apply(
    model.variables, {'audio': rows[None]}, {'audio': np.array([len(rows)])}
  )
  np.testing.assert_allclose(
    [*now.probabilities.values()], jax.nn.softmax(logits[0]), atol=1e-4
  )


def test_silence_without_a_face_is_a_gap(recognizer):
  session = recognizer.stream()
  nobody = np.zeros((120, 160, 3), np.uint8)
  moment = session.push_audio(np.full(9000, 1e-5, np.float32))
  assert moment.probabilities is None
  assert moment.label is None
  assert session.push_frame(nobody, 0.0).probabilities is None
  assert session.finish().probabilities is None


def test_what_it_holds_does_not_grow(folder):
  listener = Recognizer(make_model(('audio',)))
  session = listener.stream()
  rng = np.random.default_rng(0)
  held = []
  for _ in range(40):
    session.push_audio(rng.normal(0, 0.1, 48_000).astype(np.float32))
    held.append(len(session._tracks['audio']))
  assert max(held[10:]) <= windows.WINDOW_SECONDS * 24 + 24


def test_one_that_stops_is_waited_for_no_longer(recognizer):
  session = recognizer.stream()
  rng = np.random.default_rng(0)
  for _ in range(20):
    loud = np.linspace(0.01, 0.1, 48_000)
    session.push_audio((loud * rng.normal(size=48_000)).astype(np.float32))
  assert len(session._tracks['audio']) <= (windows.WINDOW_SECONDS + 6) * 24
  assert session.finish().probabilities is not None


def test_bad_pieces_and_a_finished_stream_are_told(recognizer):
  session = recognizer.stream()
  with pytest.raises(ValueError, match='all finite'):
    session.push_audio(np.zeros((2, 10), np.float32))
  with pytest.raises(ValueError, match='uint8'):
    session.push_frame(np.zeros((90, 120), np.float32), 0.0)
  session.push_frame(np.zeros((90, 120, 3), np.uint8), 1.0)
  with pytest.raises(ValueError, match='later'):
    session.push_frame(np.zeros((90, 120, 3), np.uint8), 0.5)
  session.finish()
  with pytest.raises(ValueError, match='session is finished'):
    session.push_audio(np.zeros(10, np.float32))


def test_a_picture_that_comes_late_loses_no_row(recognizer, folder):
  path = make_clip(folder / 'late.mp4', seconds=7.5)
  pieces = events(path, seed=1)
  session = recognizer.stream()
  lag = 3.0  # seconds
  for _, modality, piece, at in sorted(
    (at + lag * (modality == 'video'), modality, k, at)
    for k, (at, modality, piece) in enumerate(pieces)
  ):
    content = pieces[piece][2]
    if modality == 'audio':
      session.push_audio(content)
    else:
      session.push_frame(content, at)
  assert session.finish().probabilities == pytest.approx(
    recognizer.predict(path).probabilities, abs=1e-5
  )


def test_samples_that_are_integers_are_refused(recognizer):
  with pytest.raises(ValueError, match='divide int16 by 32768'):
    recognizer.stream().push_audio(np.zeros(9, np.int16))


def test_a_frame_of_no_time_or_no_size_is_refused(recognizer):
  session = recognizer.stream()
  with pytest.raises(ValueError, match='later than the last one'):
    session.push_frame(np.zeros((90, 120, 3), np.uint8), float('inf'))
  with pytest.raises(ValueError, match=r'got uint8\[0, 0, 3\]'):
    session.push_frame(np.zeros((0, 0, 3), np.uint8), 0.0)
