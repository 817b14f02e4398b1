"""A page that recognises the clips dropped on it, by Gradio.

Whoever is in a clip may not want it kept: a clip is deleted as soon as it is
answered, and what else arrived minutes later. Nothing is told to anybody:
fonts and programs come from this machine, and Gradio's telemetry, its history
of runs and its public links are off.
"""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from avemotion.apps import answer, uploads
from avemotion.features import containers
from avemotion.recognition.recognizer import Recognizer
from avemotion.training.logs import log

_STYLE = pathlib.Path(__file__).parent / 'page.css'
_MOST_WAITING = 8  # requests; who comes later is told that it is full
_MEGABYTE = 2**20  # bytes, as Gradio counts them where it tells of a limit

_TITLE = 'Which emotion is acted here?'
_DISCLAIMER = """\
**Guesses about acted speech; do not judge people by them.** The model learned
how actors show an emotion when asked to. What somebody feels, it cannot know.
"""
_PRIVACY = """\
A clip stays on the machine that serves this page, and is deleted when it is
answered.
"""
_LICENCE = """\
Weights that were trained on RAVDESS, as those that ship are, have its licence:
CC BY-NC-SA 4.0, not for commercial use.
"""
_WAITING = '<p class="waiting">The answer appears here.</p>'


@dataclasses.dataclass(frozen=True)
class Limits:
  """What a clip may be at most.

  Attributes:
    megabytes: size of the file, of 2²⁰ bytes.
    seconds: length, by the time stamps of all of it.
  """

  megabytes: int = 100
  seconds: float = 120.0

  def __post_init__(self) -> None:
    """Refuses limits that no clip meets.

    Raises:
      ValueError: one is not above 0.
    """
    if self.megabytes <= 0 or self.seconds <= 0:
      raise ValueError(
        'expected --max_megabytes and --max_seconds above 0, got'
        f' {self.megabytes} and {self.seconds}'
      )


def serve(
  recognizer: Recognizer,
  examples: Mapping[str, str | os.PathLike[str]],
  *,
  host: str,
  port: int,
  limits: Limits,
) -> None:
  """Serves the page until it is interrupted (Ctrl-C).

  Args:
    recognizer: made with `illustrate`, so that faces are shown.
    examples: clips to click on, by what their buttons say.
    host: address to listen at; 127.0.0.1: for this machine alone.
    port: number of the port.
    limits: of the clips.

  Raises:
    ValueError: Gradio is not installed.
    OSError: the port is taken.
  """
  with uploads.swept_folder() as folder:
    os.environ['GRADIO_TEMP_DIR'] = folder
    os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
    try:
      import gradio
    except ImportError as error:
      raise ValueError(
        f"the page needs Gradio ({error}): pip install 'avemotion[demo]'"
      ) from error
    blocks = _build(gradio, recognizer, examples, limits)
    blocks.queue(max_size=_MOST_WAITING, api_open=False)
    _, address, _ = blocks.launch(
      prevent_thread_lock=True,
      quiet=True,
      server_name=host,
      server_port=port,
      share=False,
      max_file_size=limits.megabytes * _MEGABYTE,
      theme=gradio.themes.Base(
        primary_hue='slate', neutral_hue='slate', font=['system-ui']
      ),
      css_paths=_STYLE,
      footer_links=[],
      run_history=False,
      enable_monitoring=False,
      ssr_mode=False,
      mcp_server=False,
    )
    log.info('the page is at %s; Ctrl-C ends it', address)
    blocks.block_thread()


def recognise(
  recognizer: Recognizer, limits: Limits, path: str | os.PathLike[str]
) -> str:
  """Answers one clip.

  Args:
    recognizer: as for `serve`.
    limits: as for `serve`.
    path: the clip.

  Returns:
    HTML of the prediction, or of the sentence that says why there is none.
  """
  try:
    _check_length(path, limits)
    prediction = recognizer.predict(path)
  except (ValueError, OSError) as error:
    # Who dropped a clip knows its name, not where it lay.
    reason = str(error).replace(os.fspath(path), os.path.basename(path))
    return answer.failure_to_html(reason)
  return answer.to_html(prediction, recognizer.modalities)


def recognise_and_delete(
  recognizer: Recognizer, limits: Limits, upload: Mapping[str, Any] | None
) -> tuple[None, str]:
  """Answers a clip that was uploaded, which is gone then.

  Args:
    recognizer: as for `serve`.
    limits: as for `serve`.
    upload: Gradio's `FileData`, whose 'path' is that of the clip, in a folder
      that is named after its bytes; None: none came.

  Returns:
    None, which empties where it was dropped, and as `recognise`.
  """
  if upload is None:
    return None, answer.failure_to_html('No clip came: drop or record one.')
  path = pathlib.Path(upload['path'])
  if not path.is_file():  # The same bytes that come twice lie in one place.
    return None, answer.failure_to_html(
      f'{path.name} is gone: it came twice at once, or waited too long; drop it'
      ' again.'
    )
  try:
    return None, recognise(recognizer, limits, path)
  finally:
    uploads.delete(path)


def _check_length(path: str | os.PathLike[str], limits: Limits) -> None:
  """Before any of it is decoded."""
  seconds = containers.length(path)
  if seconds > limits.seconds:
    raise ValueError(
      f'{path}: {seconds:.1f} s long; this page takes {limits.seconds:g} s at'
      ' most (--max_seconds)'
    )


def _build(
  gradio: Any,
  recognizer: Recognizer,
  examples: Mapping[str, str | os.PathLike[str]],
  limits: Limits,
) -> Any:
  """Lays out the page: where clips go on the left, the answer on the right."""
  with gradio.Blocks(title='avemotion') as blocks:
    gradio.Markdown(f'# {_TITLE}\n{_DISCLAIMER}')
    with gradio.Row():
      with gradio.Column(scale=2, min_width=320):
        inputs = _inputs(gradio)
        gradio.Markdown(
          f'At most {limits.megabytes} MB and {limits.seconds:g} s.'
          f' {_PRIVACY}\n\nOr click on a drawn face with a made-up voice, no'
          ' test of the model:'
        )
        with gradio.Row():
          buttons = {
            name: gradio.Button(name, size='sm', min_width=150)
            for name in examples
          }
        gradio.Markdown(
          f'The model that answers reads {recognizer.describe()}. {_LICENCE}',
          elem_classes='model',
        )
      with gradio.Column(scale=3, min_width=320):
        shown = gradio.HTML(_WAITING, elem_id='answer')
    on_upload = functools.partial(recognise_and_delete, recognizer, limits)
    for source, event in inputs:
      _answer_one_at_a_time(event, on_upload, source, [source, shown])
    for name, button in buttons.items():
      on_click = functools.partial(
        recognise, recognizer, limits, examples[name]
      )
      _answer_one_at_a_time(button.click, on_click, None, shown)
  return blocks


def _inputs(gradio: Any) -> list[tuple[Any, Callable[..., Any]]]:
  """Where clips are dropped or recorded, and the event of one that came."""
  with gradio.Tab('Drop a clip'):
    dropped = gradio.File(label='somebody speaks: a video, or sound alone')
  with gradio.Tab('Webcam'):
    filmed = gradio.Video(
      sources=['webcam'], include_audio=True, label='with your voice'
    )
  with gradio.Tab('Microphone'):
    spoken = gradio.Audio(sources=['microphone'], label='your voice')
  return [
    (dropped, dropped.upload),
    (filmed, filmed.stop_recording),
    (spoken, spoken.stop_recording),
  ]


def _answer_one_at_a_time(
  event: Callable[..., Any], function: Callable[..., Any], inputs: Any, to: Any
) -> None:
  event(
    function,
    inputs,
    to,
    # The file as it came: Gradio would turn pictures, and leave files behind.
    preprocess=False,
    api_visibility='private',
    concurrency_id='recognise',
    concurrency_limit=1,
    show_progress='minimal',
  )
