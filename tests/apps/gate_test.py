"""Tests of requests that the gate passes on, changes or refuses."""

import json

import pytest

pytest.importorskip('gradio', reason="no Gradio: pip install '.[demo]'")

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from avemotion.apps import gate

JOIN = '/gradio_api/queue/join'
UPLOAD = '/gradio_api/upload'


async def echo(request):
  body = await request.body()
  return JSONResponse(json.loads(body) if body else 'seen')


def make(folder, host='127.0.0.1', allowed=(), max_bytes=1000):
  guard = Middleware(
    gate.Gate,
    folder=str(folder),
    host=host,
    allowed_hosts=allowed,
    max_bytes=max_bytes,
  )
  route = Route('/{path:path}', echo, methods=['GET', 'POST', 'PUT'])
  app = Starlette(routes=[route], middleware=[guard])
  return TestClient(app, base_url='http://127.0.0.1:7860')


@pytest.fixture
def folder(tmp_path):
  (tmp_path / 'uploads').mkdir()
  return tmp_path / 'uploads'


@pytest.fixture
def client(folder):
  return make(folder)


def send(client, name='clip.mp4', content=b'clip'):
  return client.post(UPLOAD, files={'files': (name, content)})


def test_a_clip_is_kept_where_nobody_can_guess_and_found_again(client, folder):
  paths = [send(client).json() for _ in range(2)]
  (first,), (second,) = paths
  # Equal files are separate clips.
  assert first != second
  assert len(first.split('/')[0]) > 20
  asked = {'data': [{'path': first, 'url': 'http://x/'}, None], 'fn_index': 0}
  seen = client.post(JOIN, json=asked).json()
  assert seen == {
    'data': [
      {
        'path': str(folder / first),
        'orig_name': 'clip.mp4',
        'meta': {'_type': 'gradio.FileData'},
      },
      None,
    ],
    'fn_index': 0,
  }
  assert (folder / first).read_bytes() == b'clip'


@pytest.mark.parametrize(
  'value',
  [
    {'path': 'http://example.org/clip.mp4'},
    {'path': 'http://../../secret.wav', 'is_stream': True},
    {'path': '../secret.wav', 'is_stream': True},
    {'path': 'link.wav'},
    {'path': '/etc/passwd'},
    {'path': '.'},
    {'path': 'a\0b'},
    {'path': 7},
    {'url': 'http://example.org/clip.mp4'},
    [{'path': 'http://example.org/clip.mp4'}],
    'http://example.org/clip.mp4',
  ],
)
def test_what_is_no_clip_of_the_folder_never_reaches_gradio(
  client, folder, value, monkeypatch
):
  (folder.parent / 'secret.wav').write_bytes(b'secret')
  (folder / 'link.wav').symlink_to(folder.parent / 'secret.wav')
  (folder.parent / 'cwd' / 'http:').mkdir(parents=True)
  monkeypatch.chdir(folder.parent / 'cwd')
  meta = {'meta': {'_type': 'gradio.FileData'}}
  value = value | meta if isinstance(value, dict) else value
  assert client.post(JOIN, json={'data': [value]}).json() == {'data': [None]}


@pytest.mark.parametrize('body', [b'', b'[', b'[]', b'{}', b'{"data": 1}'])
def test_a_damaged_question_is_refused(client, body):
  assert client.post(JOIN, content=body).status_code == 400


@pytest.mark.parametrize(
  ('name', 'kept'),
  [
    ('a clip (1).mp4', 'a clip (1).mp4'),
    ('<img src=x onerror=alert(1)>.mp4', '_img src_x onerror_alert(1)_.mp4'),
    ('C:\\Users\\me\\clip.mp4', 'clip.mp4'),
    ('../../up.mp4', 'up.mp4'),
    ('.bashrc', 'bashrc'),
    ('-i.mp4', 'i.mp4'),
    ('émotion.mp4', 'émotion.mp4'),
    ('x' * 300 + '.mp4', 'x' * 60 + '.mp4'),
    ('漢' * 100 + '.mp4', '漢' * 20 + '.mp4'),
    ('..', 'clip'),
  ],
)
def test_names_are_made_harmless(client, folder, name, kept):
  (path,) = send(client, name).json()
  assert path.split('/')[1] == kept
  assert (folder / path).is_file()


def test_clips_are_bounded_in_bytes_and_in_number(client, folder):
  assert send(client, content=bytes(1001)).status_code == 413
  assert send(client, content=bytes(10**5)).status_code == 413
  assert not [*folder.rglob('*')]
  statuses = [send(client).status_code for _ in range(17)]
  assert statuses == [200] * 16 + [503]
  large = json.dumps({'data': ['x' * 10**5]})
  assert client.post(JOIN, content=large).status_code == 413


def test_an_upload_that_is_none_is_refused(client, folder):
  assert client.post(UPLOAD, content=b'clip').status_code == 400
  assert client.post(UPLOAD, files={'other': b'clip'}).status_code == 400
  several = [('files', ('a', b'a')), ('files', ('b', b'b'))]
  assert client.post(UPLOAD, files=several).status_code == 400
  assert client.post(UPLOAD, data={'files': 'a'}).status_code == 400
  assert not [*folder.rglob('*')]


@pytest.mark.parametrize(
  ('host', 'asked', 'status'),
  [
    ('127.0.0.1', 'localhost:7860', 200),
    ('127.0.0.1', '[::1]:7860', 200),
    ('127.0.0.1', 'evil.example:7860', 403),
    ('127.0.0.1', '192.168.0.7:7860', 403),
    ('127.0.0.1', '', 403),
    ('0.0.0.0', '192.168.0.7:7860', 200),
    ('0.0.0.0', 'evil.example', 403),
    ('0.0.0.0', 'proxy.example', 200),
    ('studio.local', 'studio.local:7860', 200),
  ],
)
def test_a_name_that_is_not_ours_is_refused(folder, host, asked, status):
  client = make(folder, host, ['proxy.example'])
  answered = client.get('/', headers={'host': asked})
  assert answered.status_code == status
  assert '<' not in answered.text


@pytest.mark.parametrize(
  ('origin', 'status'),
  [
    ('http://127.0.0.1:7860', 200),
    ('https://proxy.example', 200),
    ('http://127.0.0.1:3000', 403),  # Another program on this machine.
    ('http://evil.example', 403),
    ('null', 403),
  ],
)
def test_a_page_of_another_origin_cannot_ask(folder, origin, status):
  client = make(folder, allowed=['proxy.example'])
  client.headers['origin'] = origin
  assert send(client).status_code == status
  assert client.get('/').status_code == status


@pytest.mark.parametrize(
  ('method', 'path'),
  [
    ('GET', '/gradio_api/file=http://example.org/'),
    ('GET', '/gradio_api/file=/etc/passwd'),
    ('GET', '/gradio_api/proxy=http://example.org/'),
    ('POST', '/gradio_api/run/predict'),
    ('POST', '/gradio_api/call/predict'),
    ('POST', '/gradio_api/process_recording'),
    ('POST', '/gradio_api/component_server'),
    ('PUT', '/gradio_api/upload'),
    ('GET', '/monitoring/summary'),
  ],
)
def test_what_the_page_does_not_ask_for_is_refused(client, method, path):
  assert client.request(method, path).status_code == 404
