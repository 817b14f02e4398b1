"""Tests of `avemotion demo` in a browser.

Needs the extras `demo` and `browser`, and Chromium (Debian: chromium).
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import numpy as np
import pytest

from avemotion.apps.commands import demo as demo_command
from avemotion.recognition.media_writer import write_clip
from avemotion.recognition.recognizer import Recognizer
from avemotion.synthetic import corpus

DEMO = pathlib.Path(__file__).parents[3] / 'launch' / 'demo.py'
# No host look-ups; root, as in a container, has no sandbox.
CHROMIUM = (
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
)
MEGABYTE = 2**20
pytestmark = pytest.mark.slow  # Runs a browser.
PLAYLIST = b'#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n/private.ts\n'


def demo(folder, *arguments):
  return subprocess.Popen(
    [sys.executable, str(DEMO), *arguments],
    env=os.environ | {'TMPDIR': str(folder)},
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


@pytest.fixture(scope='module')
def browser():
  api = pytest.importorskip(
    'playwright.sync_api', reason="no playwright: pip install '.[browser]'"
  )
  chromium = shutil.which('chromium')
  if chromium is None:
    pytest.skip('no chromium on the path')
  with (
    api.sync_playwright() as playwright,
    playwright.chromium.launch(
      executable_path=chromium, args=CHROMIUM
    ) as browser,
  ):
    yield browser


@pytest.fixture(scope='module')
def temporary(tmp_path_factory):
  """Returns the folder for the page's files."""
  return tmp_path_factory.mktemp('temporary')


@pytest.fixture(scope='module')
def address(temporary):
  pytest.importorskip('gradio', reason="no Gradio: pip install '.[demo]'")
  with socket.socket() as free:
    free.bind(('127.0.0.1', 0))
    port = free.getsockname()[1]
  process = demo(
    temporary, f'--port={port}', '--max_megabytes=1', '--max_seconds=4'
  )
  address = f'http://127.0.0.1:{port}'
  wait_for(address, process)
  yield address
  process.send_signal(signal.SIGTERM)
  process.communicate(timeout=60)
  assert not list(temporary.rglob('*'))


def wait_for(address, process):
  for _ in range(120):
    assert process.poll() is None, process.stderr.read()
    try:
      urllib.request.urlopen(address).close()
    except urllib.error.URLError:
      time.sleep(1)
    else:
      return
  pytest.fail('the page does not come up')


@pytest.fixture
def page(browser, address):
  """Opens the page; checks that it makes no external requests."""
  elsewhere = []
  page = browser.new_page()
  page.on(
    'request',
    lambda request: (
      None
      if request.url.startswith((address, 'data:', 'blob:'))
      else elsewhere.append(request.url)
    ),
  )
  page.goto(address)
  page.wait_for_selector('#words textarea')
  yield page
  page.close()
  assert not elsewhere


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
  path = tmp_path_factory.mktemp('clips') / 'a clip.mp4'
  corpus.make_clip(path, 'happy', actor=2, seconds=2.0)
  return path


def drop(page, path):
  page.set_input_files('input[type=file] >> nth=0', path)


def words(page, sentence):
  """Returns the text of the answer, once it contains a sentence."""
  page.wait_for_function(
    """sentence => document.querySelector('#words textarea').value.includes(
      sentence)""",
    arg=sentence,
  )
  return page.locator('#words textarea').input_value()


def kept(temporary):
  files = [path for path in temporary.rglob('*') if path.is_file()]
  return [path for path in files if 'examples' not in str(path)]


@pytest.mark.slow
def test_a_clip_that_is_dropped_is_answered_as_by_the_recognizer(
  page, clip, temporary
):
  drop(page, clip)
  shown = words(page, 'Sound used.')
  prediction = Recognizer.from_checkpoint().predict(clip)
  assert f'Recognised as {prediction.label}, ' in shown
  assert page.locator('#label h2').inner_text() == prediction.label
  text = page.locator('#label').inner_text()
  for name, share in prediction.probabilities.items():
    assert f'{name}\n{100 * share:.0f}%' in ''.join(
      line.strip() + '\n' for line in text.splitlines() if line.strip()
    )
  picture = page.locator('#timeline img')
  assert picture.evaluate('image => image.naturalWidth') >= 1000
  assert picture.get_attribute('src').startswith('data:image/png')
  assert not kept(temporary)


@pytest.mark.slow
@pytest.mark.parametrize(
  ('name', 'content', 'sentence'),
  [
    ('notes.txt', lambda _: b'no clip', 'not a clip that FFmpeg can open'),
    ('empty.mp4', lambda _: b'', 'the file is empty'),
    ('cut off.mp4', lambda clip: clip[: len(clip) // 2], 'not a clip that'),
    ('list.m3u8', lambda _: PLAYLIST, 'expected a container'),
  ],
)
def test_what_is_no_clip_is_told_and_the_next_one_answered(
  page, clip, temporary, tmp_path, name, content, sentence
):
  (tmp_path / name).write_bytes(content(clip.read_bytes()))
  drop(page, tmp_path / name)
  words(page, f'{name}: {sentence}')
  assert 'Traceback' not in page.inner_text('body')
  assert not kept(temporary)
  drop(page, clip)
  words(page, 'Recognised as')


@pytest.mark.slow
@pytest.mark.parametrize(
  ('options', 'sentence'),
  [
    ({'seconds': 5.0}, 'clip.mp4: expected a clip of at most 4 s'),
    ({'silent': True}, 'clip.mp4: nothing to recognise: no '),
  ],
)
def test_a_clip_that_cannot_be_answered_is_told(
  page, temporary, tmp_path, options, sentence
):
  path = tmp_path / 'clip.mp4'
  if options.pop('silent', False):  # No face, and no sound.
    grey = np.full((90, 120, 3), 99, np.uint8)
    write_clip(path, ((k / 10, grey) for k in range(10)), ())
  else:
    corpus.make_clip(path, 'sad', actor=1, **options)
  drop(page, path)
  words(page, sentence)
  assert not kept(temporary)


@pytest.mark.slow
def test_a_file_that_is_too_large_is_told(page, temporary, tmp_path):
  (tmp_path / 'large.mp4').write_bytes(bytes(MEGABYTE + 1))
  drop(page, tmp_path / 'large.mp4')
  page.get_by_text('exceed the maximum allowed size of 1.0 Mb').wait_for()
  assert not kept(temporary)


@pytest.mark.slow
def test_who_is_drawn_is_answered_by_a_click_again_and_again(page):
  before = None
  for name in ('an angry man', 'a happy woman', 'an angry man'):
    page.get_by_role('button', name=name).click()
    words(page, 'Recognised as')
    # Wait until the picture changes.
    page.wait_for_function(
      'before => document.querySelector("#timeline img")?.src != before',
      arg=before,
    )
    before = page.locator('#timeline img').get_attribute('src')


@pytest.mark.slow
def test_what_the_webcam_and_the_microphone_give_is_answered(page, temporary):
  page.get_by_role('tab', name='Webcam').click()
  page.get_by_text('Click to Access Webcam').click()
  record = page.get_by_label('start recording')
  record.click()
  page.wait_for_timeout(3500)  # Less than the limit of four seconds.
  record.click()
  # The picture has no face; the sound is a beep.
  words(page, 'Sound used.')
  assert not kept(temporary)


@pytest.mark.slow
def test_the_page_says_what_it_is(page):
  text = page.inner_text('body')
  assert 'do not judge people by them' in text
  assert "audio (Whisper's encoder), trained on 24" in text
  assert 'CC BY-NC-SA 4.0' in text


@pytest.mark.slow
def test_a_port_that_is_taken_is_told(address, tmp_path):
  port = address.rpartition(':')[2]
  with demo(tmp_path, f'--port={port}') as process:
    _, errors = process.communicate(timeout=120)
  assert process.returncode == 1
  assert port in errors
  assert 'Traceback' not in errors
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
  ('argument', 'message'),
  [
    ('--checkpoint=nowhere', 'no such checkpoint directory'),
    ('--max_seconds=0', '--max_seconds=0'),
    ('more', "unexpected argument 'more'"),
  ],
)
def test_bad_arguments_are_one_line(argument, message, capsys):
  assert demo_command.main([argument]) == 1
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith('avemotion demo: ')
  assert message in line
