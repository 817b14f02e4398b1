"""Tests of `Recognizer`, from checkpoint and clips to probabilities."""

import dataclasses
import json

import jax
import matplotlib.image
import numpy as np
import pytest
from small_model import LABELS, make_clip, make_model

from avemotion.apps import live
from avemotion.data import silence
from avemotion.features import (
  front_ends,
  landmark_detector,
  landmarks,
  media,
)
from avemotion.features.clip import ClipError, extract
from avemotion.recognition import window_classifier, windows
from avemotion.recognition.media_writer import write_clip
from avemotion.recognition.prediction import ClipFailure
from avemotion.recognition.recognizer import Recognizer
from avemotion.training import checkpoints, weights
from avemotion.training.config import update

needs_face = pytest.mark.skipif(
  not landmark_detector.is_installed(), reason='the extra face'
)


@pytest.fixture(scope='module')
def recognizer(tmp_path_factory):
  workdir = tmp_path_factory.mktemp('model')
  checkpoints.save(workdir, make_model())
  return Recognizer.from_checkpoint(workdir)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('clips')


@pytest.fixture(scope='module')
def prediction(recognizer, folder):
  return recognizer.predict(make_clip(folder / 'clip.mp4'))


def test_prediction_is_the_models_answer_to_the_whole_clip(prediction):
  model = make_model()
  features = extract(prediction.clip)
  logits = model.classifier.apply(
    model.variables,
    {'video': features.video[None], 'audio': features.audio[None]},
    {
      'video': np.array([len(features.video)]),
      'audio': np.array([len(features.audio)]),
    },
  )
  expected = jax.nn.softmax(logits[0])
  np.testing.assert_allclose(
    list(prediction.probabilities.values()), expected, atol=1e-5
  )
  assert prediction.label == LABELS[expected.argmax()]


def test_timeline_runs_to_the_end_and_each_point_knows_only_its_past(
  prediction,
):
  seconds = prediction.timeline_seconds
  assert (np.diff(seconds) > 0).all()
  assert seconds[-1] == pytest.approx(prediction.seconds)
  assert len(seconds) == pytest.approx(1.5 * 7.5, abs=1)
  np.testing.assert_allclose(prediction.timeline.sum(axis=1), 1, atol=1e-5)
  # The fourth point, 4 / 7.5 s = 25600 samples: 11 complete MFCC frames, and
  # the video frames at 0, 1/7.5, … 4/7.5 s.
  features = prediction.features
  model = make_model()
  logits = model.classifier.apply(
    model.variables,
    {'video': features.video[None, :5], 'audio': features.audio[None, :11]},
    {'video': np.array([5]), 'audio': np.array([11])},
  )
  np.testing.assert_allclose(
    prediction.timeline[3], jax.nn.softmax(logits[0]), atol=1e-5
  )


def test_each_branch_has_its_own_timeline(prediction):
  model, features = make_model(), prediction.features
  assert set(prediction.branches) == {'video', 'audio'}
  logits = model.classifier.apply(
    model.variables,
    {'video': features.video[None], 'audio': features.audio[None]},
    {
      'video': np.array([len(features.video)]),
      'audio': np.array([len(features.audio)]),
    },
    method=model.classifier.with_branches,
  )
  for name, rows in prediction.branches.items():
    assert rows.shape == prediction.timeline.shape
    np.testing.assert_allclose(
      rows[-1], jax.nn.softmax(logits[name][0]), atol=1e-5
    )


def test_json_keeps_its_contract(prediction):
  written = json.loads(json.dumps(prediction.to_json()))
  assert set(written) == {
    'clip',
    'person',
    'label',
    'uncertain',
    'labels_of_90_percent',
    'probabilities',
    'modalities',
    'seconds',
    'face_share',
    'timeline',
    'warnings',
  }
  assert written['modalities'] == ['video', 'audio']
  assert written['face_share'] == 1.0
  assert sum(written['probabilities'].values()) == pytest.approx(1, abs=1e-5)
  assert set(written['timeline'][0]) == {'seconds', 'probabilities'}
  assert set(written['timeline'][0]['probabilities']) == set(LABELS)


def test_table_names_each_label_once_the_likeliest_first(prediction):
  lines = str(prediction).splitlines()
  assert 'clip.mp4' in lines[0]
  assert lines[1].split()[0] == prediction.label
  assert sorted(line.split()[0] for line in lines[1:4]) == sorted(LABELS)


def test_explanation_is_of_the_label_and_of_the_rows_that_were_read(
  recognizer, prediction
):
  explained = recognizer.explain(prediction)
  assert prediction.explanation is None
  found = explained.explanation
  assert found.label == prediction.label
  features = prediction.features
  for name, rows in (('video', features.video), ('audio', features.audio)):
    assert len(found.attributions[name]) == len(found.seconds[name])
    assert len(found.attributions[name]) == len(rows)
  np.testing.assert_allclose(found.seconds['video'], features.frame_seconds)
  written = json.loads(json.dumps(explained.to_json()))
  assert written.pop('explanation')['label'] == prediction.label
  assert written == prediction.to_json()
  lines = str(explained).splitlines()
  assert sum(line.startswith('  why: ') for line in lines) == 2


@pytest.mark.slow
def test_an_explanation_is_drawn_below_the_timeline(
  recognizer, prediction, tmp_path
):
  heights = []
  for shown in (prediction, recognizer.explain(prediction)):
    shown.save_plot(tmp_path / 'timeline.png')
    heights.append(len(matplotlib.image.imread(tmp_path / 'timeline.png')))
  assert heights[1] - heights[0] == pytest.approx(2 * 1.2 * 120, abs=2)


def test_plot_is_a_png(prediction, tmp_path):
  prediction.save_plot(tmp_path / 'timeline.png')
  assert (tmp_path / 'timeline.png').read_bytes().startswith(b'\x89PNG')


@pytest.mark.parametrize(
  ('name', 'changes', 'modality', 'missing'),
  [
    ('mute.mp4', {'audio': False}, 'video', 'audio'),
    ('sound.wav', {'video': False}, 'audio', 'video'),
    ('nobody.mp4', {'face': False}, 'audio', 'video'),
  ],
)
def test_a_missing_modality_is_told(
  recognizer, folder, name, changes, modality, missing
):
  prediction = recognizer.predict(make_clip(folder / name, **changes))
  assert prediction.modalities == (modality,)
  assert not prediction.branches
  if name == 'nobody.mp4':
    assert prediction.face_share == 0.0
  assert prediction.warnings[-1] == (
    f'recognised without {missing}, though the model was trained with it'
  )
  assert np.isfinite(prediction.timeline).all()
  assert 'note: ' in str(prediction)


@pytest.mark.parametrize('seconds', [0.05, 2.0])
def test_what_does_not_change_is_no_voice(recognizer, folder, seconds):
  soundfile = pytest.importorskip('soundfile')
  path = folder / 'tone.wav'
  tone = 0.1 * np.sin(np.arange(round(16_000 * seconds)))
  soundfile.write(path, tone, 16_000)
  with pytest.raises(ClipError, match='no voice above -75 dBFS and no face'):
    recognizer.predict(path)


def test_an_unreadable_clip_is_told(recognizer, folder):
  path = folder / 'broken.mp4'
  path.write_bytes(b'')
  with pytest.raises(ClipError, match=r'broken\.mp4'):
    recognizer.predict(path)


def test_a_model_of_other_features_is_refused():
  others = make_model(('video',), {'video': 136})
  expected = (
    r'reads VGG16 of .* \(512\) or 68 .*\(280\).*one of features \(136\)'
  )
  with pytest.raises(ValueError, match=expected):
    Recognizer(others)
  named = dataclasses.replace(
    make_model(('audio',)), sources={'audio': 'somebody else'}
  )
  with pytest.raises(ValueError, match=r'one of somebody else \(40\)'):
    Recognizer(named)


def test_an_audio_model_shows_faces_only_where_asked(folder):
  path = make_clip(folder / 'shown.mp4')
  plain = Recognizer(make_model(('audio',))).predict(path)
  assert not plain.branches
  assert plain.face_share is None
  shown = Recognizer(make_model(('audio',)), illustrate=True).predict(path)
  assert len(shown.features.crops) > 5
  assert dataclasses.asdict(shown)['probabilities'] == plain.probabilities


def test_an_enrolled_speaker_is_recognised_by_what_differs_from_their_mean(
  folder,
):
  model = make_model(('audio',))
  data = dataclasses.replace(model.config.data, enrol=('audio',))
  model = dataclasses.replace(
    model, config=dataclasses.replace(model.config, data=data)
  )
  path = make_clip(folder / 'enrolled.mp4', emotion='happy')
  recognizer = Recognizer(model)
  stranger = recognizer.predict(path)
  assert any('--enrol' in warning for warning in stranger.warnings)
  recognizer.enrol([path])
  known = recognizer.predict(path)
  assert not any('--enrol' in warning for warning in known.warnings)
  assert known.probabilities != stranger.probabilities
  recognizer.enrol([path])
  assert recognizer.predict(path).probabilities == known.probabilities
  rows = known.features.audio - known.features.audio.mean(axis=0)
  logits = model.classifier.apply(
    model.variables, {'audio': rows[None]}, {'audio': np.array([len(rows)])}
  )
  np.testing.assert_allclose(
    [*known.probabilities.values()],
    jax.nn.softmax(np.asarray(logits)[0]),
    atol=1e-4,
  )


def test_any_model_enrols_a_speaker_by_moving_to_the_training_mean(folder):
  model = make_model(('audio',))
  statistics = {'mean': np.full(13, 7, np.float32), 'std': np.ones(13)}
  variables = dict(model.variables)
  variables['statistics'] = {'audio': {'standardize': statistics}}
  model = dataclasses.replace(model, variables=variables)
  path = make_clip(folder / 'own.mp4', emotion='happy')
  recognizer = Recognizer(model)
  unknown = recognizer.predict(path)
  assert not any('--enrol' in warning for warning in unknown.warnings)
  recognizer.enrol([path, path, path])
  known = recognizer.predict(path)
  # Three clips move the mean by three fifths.
  rows = known.features.audio
  moved = rows - 0.6 * (rows.mean(axis=0) - 7)  # It reads 13.
  logits = model.classifier.apply(
    model.variables, {'audio': moved[None]}, {'audio': np.array([len(rows)])}
  )
  np.testing.assert_allclose(
    [*known.probabilities.values()], jax.nn.softmax(logits[0]), atol=1e-4
  )
  with pytest.raises(ValueError, match='no enrolment clip has a voice'):
    recognizer.enrol([])
  network = update(model.config.model, {'audio': {'cmn': True}})
  config = dataclasses.replace(model.config, model=network)
  deaf = Recognizer(dataclasses.replace(model, config=config))
  with pytest.raises(ValueError, match='enrolment has no effect'):
    deaf.enrol([path])


def test_without_dlib_the_model_that_ships_listens_and_says_so(
  folder, monkeypatch
):
  path = make_clip(folder / 'heard.mp4')
  monkeypatch.setattr(landmark_detector, 'is_installed', lambda: False)
  shipped = Recognizer.from_checkpoint(illustrate=True)
  assert shipped.modalities == ('audio',)
  assert "pip install 'avemotion[face]'" in shipped.describe()
  heard = shipped.predict(path)
  assert heard.modalities == ('audio',)
  assert any("'avemotion[face]'" in warning for warning in heard.warnings)
  alone = Recognizer(weights.load(), modalities=('audio',)).predict(path)
  assert heard.probabilities == alone.probabilities
  assert not alone.warnings  # Chosen by `modalities`.
  for refused in (
    lambda: shipped.enrol([path]),
    lambda: shipped.predict_people(path),
  ):
    with pytest.raises(ValueError, match=r"'avemotion\[face\]'"):
      refused()
  explained = shipped.explain(heard)
  assert not explained.explanation.parts
  explained.save_plot(folder / 'heard.png')
  session = shipped.stream()
  session.push_audio(media.read_waveform(path))
  assert session.finish().probabilities == pytest.approx(
    heard.probabilities, abs=1e-4
  )


def test_only_what_a_model_reads_can_be_chosen():
  with pytest.raises(ValueError, match=r"of \('audio',\), got \('video',\)"):
    Recognizer(make_model(('audio',)), modalities=('video',))


@needs_face
def test_a_model_of_landmarks_sees_explains_and_streams(folder):
  sources = {'video': '68 face landmarks', 'audio': 'MFCC'}
  model = make_model(feature_dims={'video': 280, 'audio': 40})
  recognizer = Recognizer(dataclasses.replace(model, sources=sources))
  path = make_clip(folder / 'landmarks.mp4', seconds=2.0)
  prediction = recognizer.explain(recognizer.predict(path))
  assert prediction.modalities == ('video', 'audio')
  features = prediction.features
  assert features.landmarks.shape == (15, 68, 2)
  within = features.points_in_crops
  assert within.shape == (len(features.crops), 68, 2)
  assert np.nanmin(within) > -0.3
  assert np.nanmax(within) < 1.3
  explained = prediction.explanation
  np.testing.assert_allclose(
    sum(explained.parts.values()), explained.attributions['video'], atol=1e-6
  )
  parts = prediction.to_json()['explanation']['modalities']['video']['parts']
  assert set(parts) == {'brows', 'eyes', 'mouth', 'head'}
  prediction.save_plot(folder / 'landmarks.png')
  session = recognizer.stream()
  with live.of_file(path, recognizer.modalities) as events:
    for event in events:
      live.push(session, event)
  assert session.finish().probabilities == pytest.approx(
    prediction.probabilities, abs=1e-5
  )


@needs_face
def test_a_window_is_described_by_itself(folder):
  """Checks that the answer for a long clip is the mean over its windows."""
  model = make_model(('video',), {'video': 280})
  recognizer = Recognizer(model)
  path = make_clip(folder / 'long.mp4', seconds=7.2)
  prediction = recognizer.predict(path)
  points = prediction.features.landmarks
  known = prediction.features.landmark_confidence >= 0.5
  seconds = prediction.features.frame_seconds
  answers = []
  for end in (6.0, 6.5, 7.0, float(seconds[-1])):
    inside = (seconds > end - 6 + 1e-6) & (seconds <= end + 1e-6)
    inside |= (seconds <= end + 1e-6) & (end <= 6)
    rows = landmarks.describe(points[inside], known[inside])
    logits = model.classifier.apply(
      model.variables, {'video': rows[None]}, {'video': np.array([len(rows)])}
    )
    answers.append(jax.nn.softmax(logits[0]))
  np.testing.assert_allclose(
    [*prediction.probabilities.values()], np.mean(answers, axis=0), atol=1e-4
  )


@pytest.mark.parametrize('alone', ['video', 'audio'])
def test_a_clip_of_one_modality_has_a_temperature_of_its_own(alone):
  model = make_model(feature_dims={'video': 3, 'audio': 40})
  hot = {'video': 2.0, 'audio': 3.0}
  model = dataclasses.replace(model, temperature=5.0, branch_temperatures=hot)
  rng = np.random.default_rng(0)
  rows = {
    'video': rng.normal(size=(1, 9, 3)).astype(np.float32),
    'audio': rng.normal(size=(1, 9, 40)).astype(np.float32),
  }
  there = {name: np.array([9], np.int32) for name in rows}
  gone = there | {k: np.array([0], np.int32) for k in rows if k != alone}
  for lengths, temperature in ((there, 5.0), (gone, hot[alone])):
    logits = model.classifier.apply(model.variables, rows, lengths)
    found = window_classifier.apply(model, rows, lengths)
    expected = jax.nn.softmax(logits / temperature)
    np.testing.assert_allclose(found['joint'], expected, atol=1e-6)
  np.testing.assert_allclose(found[alone], expected, atol=1e-6)


def test_silence_is_left_out_where_it_was_in_training(folder, monkeypatch):
  model = make_model(('audio',))
  data = dataclasses.replace(model.config.data, trim_silence=True)
  trimmed = dataclasses.replace(
    model, config=dataclasses.replace(model.config, data=data)
  )
  path = make_clip(folder / 'trimmed.mp4', emotion='sad')
  # The synthetic voice does not pause, so its evidence is set here.
  monkeypatch.setattr(silence, 'spoken', lambda rows: slice(3, len(rows) - 5))
  prediction = Recognizer(trimmed).predict(path)
  rows = prediction.features.audio[3:-5]
  logits = model.classifier.apply(
    model.variables, {'audio': rows[None]}, {'audio': np.array([len(rows)])}
  )
  np.testing.assert_allclose(
    [*prediction.probabilities.values()],
    jax.nn.softmax(np.asarray(logits)[0]),
    atol=1e-4,
  )


@pytest.mark.slow
def test_two_people_are_told_apart(recognizer, folder):
  path = make_clip(folder / 'alone.mp4', emotion='happy')
  with media.read_frames(path) as frames:
    pictures = [(at, np.hstack([image, image])) for at, image in frames]
  both = folder / 'both.mp4'
  write_clip(both, pictures, [(0.0, media.read_waveform(path)[None])])
  one, other = recognizer.predict_people(both)
  assert (one.person, other.person) == (1, 2)
  np.testing.assert_array_equal(one.features.audio, other.features.audio)
  apart = one.features.face_box[:, 0] - other.features.face_box[:, 0]
  assert np.abs(apart).min() > 100
  (alone,) = recognizer.predict_people(path)
  assert alone.person is None
  assert alone.probabilities == recognizer.predict(path).probabilities
  with pytest.raises(ValueError, match='expected a model that reads video'):
    Recognizer(make_model(('audio',))).predict_people(path)


def test_many_clips_are_predicted_the_bad_ones_named(recognizer, folder):
  good = make_clip(folder / 'one.mp4')
  (folder / 'text.mp4').write_text('no clip')
  first, second, third = recognizer.predict_many(
    [good, folder / 'text.mp4', folder / 'absent.mp4']
  )
  assert first.label in LABELS
  assert isinstance(second, ClipFailure)
  assert 'text.mp4: not a clip' in str(second)
  assert 'absent.mp4: no such file' in third.reason


def test_a_long_clip_is_recognised_in_windows(folder):
  model = make_model(('audio',))
  recognizer = Recognizer(model)
  path = folder / 'long.wav'
  soundfile = pytest.importorskip('soundfile')
  rng = np.random.default_rng(0)
  loud = np.sin(np.arange(20 * 48_000) / 48_000 * 2 * np.pi * 3) > 0
  sound = (loud * rng.normal(0, 0.1, loud.size)).astype(np.float32)
  sound[6 * 48_000 : 13 * 48_000] = 0
  soundfile.write(path, sound, 48_000)
  prediction = recognizer.predict(path)
  seconds, rows = prediction.timeline_seconds, prediction.timeline
  assert seconds[-1] == pytest.approx(20, abs=0.1)
  # From 12 s, six seconds after the end of the voice, to 13 s.
  gap = np.isnan(rows).any(axis=1)
  assert seconds[gap].min() == pytest.approx(12.5, abs=0.5)
  assert seconds[gap].max() == pytest.approx(13.0, abs=0.01)
  assert prediction.to_json()['timeline'][int(gap.argmax())] == {
    'seconds': pytest.approx(float(seconds[gap].min()), abs=1e-3),
    'probabilities': None,
  }
  # Recompute the last window, and the mean of the clip.
  ends = prediction.features.row_seconds
  features = prediction.features.audio[ends > ends[-1] - 6 + 1e-6]
  logits = model.classifier.apply(
    model.variables,
    {'audio': features[None]},
    {'audio': np.array([len(features)])},
  )
  np.testing.assert_allclose(rows[-1], jax.nn.softmax(logits[0]), atol=1e-5)
  whole = rows[(seconds >= 6 - 1e-6) & ~gap]
  np.testing.assert_allclose(
    [*prediction.probabilities.values()], whole.mean(axis=0), atol=1e-5
  )


def test_sound_that_nobody_hears_is_not_said_to_be_used(recognizer, folder):
  path = make_clip(folder / 'faint.mp4')
  frames = media.every_frame(path)
  faint = 1e-4 * media.read_waveform(path)
  quiet = folder / 'quiet.mkv'
  write_clip(quiet, frames, [(0.0, faint[None])])
  prediction = recognizer.predict(quiet)
  assert prediction.modalities == ('video',)
  assert any('without audio' in warning for warning in prediction.warnings)


@needs_face
def test_a_few_landmarks_that_seem_sure_decide_nothing():
  model = make_model(feature_dims={'video': 280, 'audio': 40})
  known = np.zeros(45, bool)
  known[:3] = True
  seen = windows.Track(
    np.random.default_rng(0).normal(size=(45, 136)).astype(np.float32),
    np.arange(45) / 7.5,
    known,
  )
  reading = front_ends.reading({}, model.feature_dims)
  classify = window_classifier.WindowClassifier(model, reading)
  assert len(classify.read({'video': seen})['video']) == 0
  known[:6] = True
  assert len(classify.read({'video': seen})['video']) == 45
