"""Middleware that passes only the page's own requests on to Gradio.

Gradio's server does more than the page needs: it fetches URLs from requests,
serves files, converts recordings, and keeps any number of uploads. The gate
refuses all of these, and receives uploads itself.
"""

import asyncio
import json
import pathlib
import re
import shutil
import socket
import urllib.parse
from collections.abc import Iterable
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from avemotion.apps import hosts, uploads

_MOST_KEPT = 16  # clips in transfer, waiting or in progress
_MOST_AT_ONCE = 256  # simultaneous requests; an open page has a few
_LARGEST_QUESTION = 2**16  # bytes of a request without a clip
_OF_MULTIPART = 2**14  # bytes of an upload besides its clip
_UPLOAD = '/gradio_api/upload'
_QUESTION = '/gradio_api/queue/join'
_LOCAL = frozenset({'localhost', '127.0.0.1', '::1'})
_ALLOWED = {
  'GET': re.compile(
    r'/((config|theme\.css|favicon\.ico|manifest\.json|robots\.txt)?'
    r'|(static|assets|svelte)/.*|pwa_icon(/\d+)?'
    r'|gradio_api/(startup-events|app_id|info|theme\.css|queue/data'
    r'|heartbeat/\w+))/?'
  ),
  'POST': re.compile(rf'{_UPLOAD}|{_QUESTION}|/gradio_api/(cancel|reset)'),
}


class Gate:
  """ASGI middleware that refuses requests which the page does not make.

  Other sites can make a browser send requests here, by a host name of their own
  (DNS rebinding) or by a form. Requests must therefore have a known host and
  the page's own origin.
  """

  def __init__(
    self,
    app: ASGIApp,
    *,
    folder: str,
    host: str,
    allowed_hosts: Iterable[str],
    max_bytes: int,
  ) -> None:
    """Wraps `app`, which listens on `host`.

    Args:
      app: Gradio's application.
      folder: folder of uploads.
      host: allowed like localhost; if other machines reach it, the machine's
        name and all IP addresses are allowed, too.
      allowed_hosts: other allowed host names, for example a proxy's.
      max_bytes: size of the largest clip in bytes.
    """
    self._app = app
    self._folder = folder
    self._max_bytes = max_bytes
    self._named = {name.lower() for name in allowed_hosts if name}
    self._hosts = {*_LOCAL, *self._named, host.lower()}
    self._takes_addresses = not hosts.is_local(host)
    if self._takes_addresses:
      self._hosts.add(socket.gethostname().lower())
    self._open = 0  # requests
    self._arriving = 0  # uploads

  async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
    """Handles a request, or passes it on."""
    if scope['type'] == 'lifespan':
      await self._app(scope, receive, send)
    if scope['type'] != 'http':
      return
    self._open += 1
    try:
      await self._serve(Request(scope, receive), send)
    except HTTPException as refused:
      answer = PlainTextResponse(refused.detail, refused.status_code)
      await answer(scope, receive, send)
    finally:
      self._open -= 1

  async def _serve(self, request: Request, send: Send) -> None:
    self._check(request)
    app, receive = self._app, request.receive
    path, is_sent = request.scope['path'], request.method == 'POST'
    if is_sent and path == _UPLOAD:
      app = await self._take(request)
    elif is_sent:
      receive = _replayed(await self._question(request), receive)
    await app(request.scope, receive, send)

  def _check(self, request: Request) -> None:
    if self._open > _MOST_AT_ONCE:
      raise HTTPException(503, 'too many requests at once; try again later')
    host = request.headers.get('host', '')
    name = hosts.name_of(host)
    known = name in self._hosts
    if not known and not (self._takes_addresses and hosts.is_address(name)):
      expected = ', '.join(sorted(self._hosts))
      reason = f'expected a Host of {expected}, got {name!r}'
      raise HTTPException(403, f'{reason}; add it with --allowed_hosts')
    origin = request.headers.get('origin')
    if origin is not None:
      theirs = urllib.parse.urlsplit(origin).netloc
      if theirs != host and hosts.name_of(theirs) not in self._named:
        raise HTTPException(403, 'expected a request from this page itself')
    method = 'GET' if request.method == 'HEAD' else request.method
    if method not in _ALLOWED or not _ALLOWED[method].fullmatch(
      request.scope['path']
    ):
      raise HTTPException(404, 'not part of this page')

  async def _question(self, request: Request) -> bytes:
    """Reads a request, and replaces clips outside the folder by None."""
    body = b''
    async for piece in request.stream():
      body += piece
      if len(body) > _LARGEST_QUESTION:
        raise HTTPException(413, f'expected at most {_LARGEST_QUESTION} bytes')
    if request.scope['path'] != _QUESTION:
      return body
    try:
      asked = json.loads(body)
      asked['data'] = [self._clip(value) for value in asked['data']]
    except (KeyError, RecursionError, TypeError, ValueError) as error:
      raise HTTPException(400, 'expected {"data": [CLIP], …}') from error
    return json.dumps(asked).encode()

  def _clip(self, value: Any) -> dict[str, Any] | None:
    """Returns Gradio's `FileData` of a clip; None: it is not in the folder."""
    given = value.get('path') if isinstance(value, dict) else None
    path = uploads.find(self._folder, given)
    if path is None:
      return None
    meta = {'_type': 'gradio.FileData'}
    return {'path': str(path), 'orig_name': path.name, 'meta': meta}

  async def _take(self, request: Request) -> Response:
    """Saves the clip of a request; responds with its path in the folder."""
    kept = sum(1 for _ in pathlib.Path(self._folder).glob('*/*'))
    if kept + self._arriving >= _MOST_KEPT:
      raise HTTPException(503, 'too many clips are waiting; try again later')
    self._arriving += 1
    try:
      async with asyncio.timeout(uploads.LONGEST_KEPT):
        path = await self._save(request)
    except TimeoutError as error:
      raise HTTPException(408, 'the clip took too long to arrive') from error
    finally:
      self._arriving -= 1
    return JSONResponse([path.relative_to(self._folder).as_posix()])

  async def _save(self, request: Request) -> pathlib.Path:
    kind = request.headers.get('content-type', '')
    if not kind.startswith('multipart/form-data'):
      raise HTTPException(400, f'expected multipart/form-data, got {kind!r}')
    limited = Request(request.scope, self._limited(request.receive))
    async with limited.form(max_files=1, max_fields=0) as form:
      upload = form.get('files')
      if not isinstance(upload, UploadFile):
        raise HTTPException(400, 'expected a clip in the field files, got none')
      if (upload.size or 0) > self._max_bytes:
        raise self._too_large()
      path = uploads.new(self._folder, upload.filename or '')
      try:
        with path.open('xb') as file:
          await asyncio.to_thread(shutil.copyfileobj, upload.file, file)
      except BaseException:  # Disk full or sender disconnected.
        uploads.delete(path)
        raise
    return path

  def _limited(self, receive: Receive) -> Receive:
    """Wraps `receive` so that it stops an upload that is too large."""
    taken = 0

    async def limited() -> Message:
      nonlocal taken
      message = await receive()
      taken += len(message.get('body', b''))
      if taken > self._max_bytes + _OF_MULTIPART:
        raise self._too_large()
      return message

    return limited

  def _too_large(self) -> HTTPException:
    return HTTPException(
      413, f'expected a clip of at most {self._max_bytes} bytes'
    )


def _replayed(body: bytes, receive: Receive) -> Receive:
  """Returns a `receive` that starts with a body that was read before."""
  waiting = [{'type': 'http.request', 'body': body, 'more_body': False}]

  async def replayed() -> Message:
    return waiting.pop() if waiting else await receive()

  return replayed
