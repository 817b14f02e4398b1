"""Web page that recognises uploaded or recorded clips, made with Gradio.

Clips are private: each is deleted as soon as it is answered, and abandoned
uploads after some minutes. Nothing is sent elsewhere: fonts and scripts are
served locally, Gradio's telemetry and links are off, and `gate` blocks requests
that would make Gradio fetch anything. Clips are decoded in another process.
"""

import functools
import os
from collections.abc import Callable, Collection, Mapping
from typing import Any

from avemotion.apps import answer, hosts, uploads
from avemotion.apps.worker import Worker
from avemotion.recognition.recognizer import Recognizer
from avemotion.training.logs import log

_MOST_WAITING = 8  # requests; later ones are refused
_MEGABYTE = 2**20  # bytes, as Gradio counts in its messages

_HEAD = """\
# Which emotion is acted here?
**Predictions for acted speech; do not judge people by them.** The model learned
how actors show emotions on request. It does not measure what a person feels.
"""
PRIVACY = """\
Your clip stays on the machine that serves this page, and is deleted as soon as
it is recognised.

Or try a synthetic clip, which is not a test of the model:
"""
# EU AI Act, Article 50(3): inform the people who are exposed to the system.
_NOTICE = """\
**If you are recorded here: this page uses software to recognise emotions from
your face and voice.**
"""
_LICENCE = """\
Weights trained on RAVDESS or nEMO, such as the bundled ones, are licensed under
CC BY-NC-SA 4.0: no commercial use.
"""


def serve(
  worker: Worker[Recognizer],
  examples: Mapping[str, str | os.PathLike[str]],
  *,
  host: str,
  port: int,
  allowed_hosts: Collection[str],
  megabytes: int,
  seconds: float,
) -> None:
  """Serves the page until Ctrl-C.

  Args:
    worker: worker with a recogniser made with `illustrate=True`.
    examples: example clips, by the text of their buttons.
    host: address to listen on; 127.0.0.1: this machine only.
    port: port to listen on.
    allowed_hosts: other host names for the page, for example a proxy's.
    megabytes: largest file size, in units of 2²⁰ bytes.
    seconds: longest clip, by its time stamps.

  Raises:
    ImportError: Gradio is not installed.
    OSError: the port is in use.
  """
  with uploads.swept_folder() as folder:
    os.environ['GRADIO_TEMP_DIR'] = folder
    os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
    import gradio
    from starlette.middleware import Middleware

    from avemotion.apps import gate

    reads = worker.run(Recognizer.describe)
    on_upload = functools.partial(
      answer.ask_and_delete, worker, seconds, folder
    )
    on_click = functools.partial(answer.ask, worker, seconds)
    blocks = _build(
      gradio,
      reads,
      told(host, megabytes, seconds),
      on_upload,
      on_click,
      examples,
    )
    blocks.queue(max_size=_MOST_WAITING, api_open=False)
    _, address, _ = blocks.launch(
      prevent_thread_lock=True,
      quiet=True,
      server_name=host,
      server_port=port,
      share=False,
      max_file_size=megabytes * _MEGABYTE,
      app_kwargs={
        'middleware': [
          Middleware(
            gate.Gate,
            folder=folder,
            host=host,
            allowed_hosts=allowed_hosts,
            max_bytes=megabytes * _MEGABYTE,
          )
        ]
      },
      theme=gradio.themes.Base(
        primary_hue='slate', neutral_hue='slate', font=['system-ui']
      ),
      footer_links=[],
      run_history=False,
      enable_monitoring=False,
      ssr_mode=False,
      mcp_server=False,
    )
    log.info('page served at %s; stop it with Ctrl-C', address)
    blocks.block_thread()


def told(host: str, megabytes: int, seconds: float) -> str:
  """Returns the text beside the upload area, as Markdown.

  It starts with a notice to the people recorded if other machines reach `host`.
  """
  limits = f'At most {megabytes} MB and {seconds:g} s. {PRIVACY}'
  return limits if hosts.is_local(host) else f'{_NOTICE}\n{limits}'


def _build(
  gradio: Any,
  reads: str,
  words: str,
  on_upload: Callable[..., tuple[Any, ...]],
  on_click: Callable[..., tuple[Any, ...]],
  examples: Mapping[str, str | os.PathLike[str]],
) -> Any:
  with gradio.Blocks(title='avemotion') as blocks:
    gradio.Markdown(_HEAD)
    with gradio.Row():
      with gradio.Column(scale=2, min_width=320):
        inputs = _inputs(gradio)
        gradio.Markdown(words)
        with gradio.Row():
          buttons = {
            name: gradio.Button(name, size='sm', min_width=150)
            for name in examples
          }
        gradio.Markdown(f'Model inputs: {reads}. {_LICENCE}')
      with gradio.Column(scale=3, min_width=320):
        # A text box, not Markdown, because clip names may contain markup.
        shown = [
          gradio.Label(label='Emotion', elem_id='label'),
          gradio.Plot(show_label=False, format='png', elem_id='timeline'),
          gradio.Textbox(
            label='Inputs and notes',
            placeholder='The result appears here.',
            lines=3,
            max_lines=12,
            interactive=False,
            elem_id='words',
          ),
        ]
    plot = gradio.components.plot.PlotData
    for source, event in inputs:
      asked = _plotted(plot, on_upload)
      _answer_one_at_a_time(event, asked, source, [source, *shown])
    for name, button in buttons.items():
      asked = _plotted(plot, functools.partial(on_click, examples[name]))
      _answer_one_at_a_time(button.click, asked, None, shown)
  return blocks


def _inputs(gradio: Any) -> list[tuple[Any, Callable[..., Any]]]:
  """Returns the components for upload and recording, each with its event."""
  with gradio.Tab('Drop a clip'):
    dropped = gradio.File(label='a person speaking: video, or sound alone')
  with gradio.Tab('Webcam'):
    filmed = gradio.Video(
      sources=['webcam'], include_audio=True, label='your face and voice'
    )
  with gradio.Tab('Microphone'):
    spoken = gradio.Audio(sources=['microphone'], label='your voice')
  return [
    (dropped, dropped.upload),
    (filmed, filmed.stop_recording),
    (spoken, spoken.stop_recording),
  ]


def _plotted(
  plot: Any, function: Callable[..., tuple[Any, ...]]
) -> Callable[..., tuple[Any, ...]]:
  """Wraps a function so that its picture becomes Gradio's plot data."""

  def plotted(*inputs: Any) -> tuple[Any, ...]:
    *values, picture, words = function(*inputs)
    drawn = picture and plot(type='matplotlib', plot=picture)
    return *values, drawn, words

  return plotted


def _answer_one_at_a_time(
  event: Callable[..., Any], function: Callable[..., Any], inputs: Any, to: Any
) -> None:
  event(
    function,
    inputs,
    to,
    # Gradio's preprocessing would convert files, and leave copies behind.
    preprocess=False,
    api_visibility='private',
    concurrency_id='recognise',
    concurrency_limit=1,
    show_progress='minimal',
  )
