import librosa
import numpy as np
import pytest
from scipy import signal

from avemotion.emotions import EMOTIONS
from avemotion.synthetic import voice

TAKES = 4


@pytest.fixture(scope='module')
def takes():
  """Returns takes of every emotion by one man."""
  return {
    emotion: [
      voice.speak(emotion, 1, 1, 2.0, np.random.default_rng(seed))
      for seed in range(TAKES)
    ]
    for emotion in EMOTIONS
  }


def loudness(speech):
  samples, _ = speech
  return 10 * np.log10(np.mean(samples**2))


def median_pitch(speech, frame=4096):
  """Finds the lag of the strongest autocorrelation of loud frames."""
  samples, _ = speech
  frames = samples[: len(samples) // frame * frame]
  frames = frames.reshape(-1, frame) * np.hanning(frame)
  power = np.mean(frames**2, axis=1)
  spectra = np.fft.rfft(frames[power > 0.25 * power.max()], 2 * frame)
  lags = np.fft.irfft(np.abs(spectra) ** 2)[:, : frame // 4]
  shortest = 48_000 // 450
  return np.median(48_000 / (shortest + lags[:, shortest:].argmax(1)))


def mean_over_takes(takes, measure):
  return {
    emotion: np.mean([measure(speech) for speech in speeches])
    for emotion, speeches in takes.items()
  }


def test_samples_fill_the_clip_and_do_not_clip(takes):
  for speeches in takes.values():
    for samples, _ in speeches:
      assert samples.shape == (96_000,)
      assert samples.dtype == np.float32
      assert 0.01 < np.abs(samples).max() < 1


def test_emotions_order_loudness(takes):
  level = mean_over_takes(takes, loudness)
  assert level['sad'] + 3 < level['neutral'] < level['happy'] - 3
  assert max(level, key=level.get) == 'angry'
  assert min(level, key=level.get) == 'sad'


def test_emotions_order_pitch(takes):
  pitch = mean_over_takes(takes, median_pitch)
  own = voice.voice_pitch(1)
  assert pitch['neutral'] == pytest.approx(own, rel=0.12)
  for emotion in ('happy', 'angry', 'fearful', 'surprised'):
    assert pitch[emotion] > 1.15 * pitch['neutral'], emotion
  for emotion in ('sad', 'calm', 'disgust'):
    assert pitch[emotion] < 1.1 * pitch['neutral'], emotion


def test_women_speak_higher_than_men():
  men = [voice.voice_pitch(actor) for actor in range(1, 25, 2)]
  women = [voice.voice_pitch(actor) for actor in range(2, 25, 2)]
  assert max(men) < 130 and min(women) > 175
  rng = np.random.default_rng(0)
  speech = voice.speak('neutral', 2, 1, 2.0, rng)
  expected = voice.voice_pitch(2)
  assert median_pitch(speech) == pytest.approx(expected, rel=0.2)


def test_resonators_ring_at_their_formants():
  noise = np.random.default_rng(3).normal(size=48_000)

  def power(formants, frequency):
    held = np.tile(np.array(formants, float), (100, 1))
    spectrum = np.abs(np.fft.rfft(voice._vocal_tract(noise, held)))
    return np.mean(spectrum[frequency - 60 : frequency + 60] ** 2)

  front, back = (390, 1990, 2550, 3500), (570, 840, 2410, 3500)
  assert power(front, 1990) > 10 * power(front, 1200)
  assert power(front, 1990) > 10 * power(back, 1990)
  assert power(back, 840) > 10 * power(front, 840)


def test_formants_move_within_a_sound():
  noise = np.random.default_rng(3).normal(size=48_000)
  glide = np.linspace((390, 1990, 2550, 3500), (570, 840, 2410, 3500), 100)
  sound = voice._vocal_tract(noise, glide)
  assert np.isfinite(sound).all()
  centroid = librosa.feature.spectral_centroid(y=sound, sr=48_000)[0]
  assert centroid[:20].mean() > 1.1 * centroid[-20:].mean()


def test_mouth_moves_with_the_sound(takes):
  for speeches in takes.values():
    samples, opening = speeches[0]
    power = librosa.feature.rms(y=samples, frame_length=960, hop_length=480)[0]
    assert np.corrcoef(power, opening)[0, 1] > 0.6
    # The mouth is closed before the first word and after the last.
    assert opening[[0, -1]] == pytest.approx(0, abs=1e-6)


def test_seven_syllables_and_again_where_there_is_room():
  def syllables(seconds):
    rng = np.random.default_rng(0)
    _, opening = voice.speak('calm', 3, 2, seconds, rng)
    return len(signal.find_peaks(opening, prominence=0.1)[0])

  assert syllables(2.5) == 7
  assert syllables(10.0) == 28


def test_a_moment_is_long_enough():
  rng = np.random.default_rng(0)
  samples, _ = voice.speak('sad', 1, 1, 0.05, rng)
  assert samples.shape == (2400,)
  assert np.isfinite(samples).all()


def test_same_generator_same_sound():
  def speak(seed, statement=1):
    rng = np.random.default_rng(seed)
    return voice.speak('happy', 1, statement, 1.0, rng)[0]

  np.testing.assert_array_equal(speak(0), speak(0))
  assert np.abs(speak(0) - speak(1)).max() > 0.01
  assert np.abs(speak(0) - speak(0, statement=2)).max() > 0.01
