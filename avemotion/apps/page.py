"""A page that recognises the clips dropped on it, by Gradio.

Whoever is in a clip may not want it kept: a clip is deleted as soon as it is
answered, and what else arrived minutes later. Nothing is sent elsewhere: fonts
and programs come from this machine; Gradio's telemetry and links are off, and
`gate` refuses what Gradio would fetch. A clip is decoded in another process.
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
_MEGABYTE = 2**20  # bytes, as Gradio counts them where it tells of a limit

_HEAD = """\
# Which emotion is acted here?
**Guesses about acted speech; do not judge people by them.** The model learned
how actors show an emotion when asked to. What somebody feels, it cannot know.
"""
PRIVACY = """\
A clip stays on the machine that serves this page, and is deleted when it is
answered.

Or click on a drawn face with a made-up voice, no test of the model:
"""
# EU AI Act, Article 50(3): people who are exposed to it are told.
_NOTICE = """\
**To everyone who is recorded here: this page recognises emotions from faces and
voices, by a program.**
"""
_LICENCE = """\
Weights that were trained on RAVDESS or nEMO, as those that ship are, have their
licence: CC BY-NC-SA 4.0, not for commercial use.
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
  """Serves the page until it is interrupted (Ctrl-C).

  Args:
    worker: of a recogniser made with `illustrate`, so that faces are shown.
    examples: clips to click on, by what their buttons say.
    host: address to listen at; 127.0.0.1: for this machine alone.
    port: to listen at.
    allowed_hosts: other names that browsers may reach it by, as a proxy's.
    megabytes: size of the largest file, of 2²⁰ bytes.
    seconds: the longest clip, by the time stamps of all of it.

  Raises:
    ImportError: Gradio is not installed.
    OSError: the port is taken.
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
    log.info('the page is at %s; Ctrl-C ends it', address)
    blocks.block_thread()


def told(host: str, megabytes: int, seconds: float) -> str:
  """Words beside where a clip is dropped, as Markdown.

  A notice to whoever is recorded comes first where `host` is reached from other
  machines.
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
        gradio.Markdown(f'The model that answers reads {reads}. {_LICENCE}')
      with gradio.Column(scale=3, min_width=320):
        # A text box, not Markdown: the name of a clip is text and no markup.
        shown = [
          gradio.Label(label='Emotion', elem_id='label'),
          gradio.Plot(show_label=False, format='png', elem_id='timeline'),
          gradio.Textbox(
            label='What it was taken from',
            placeholder='The answer appears here.',
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
  """Returns where clips are dropped or recorded, and the event of each."""
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


def _plotted(
  plot: Any, function: Callable[..., tuple[Any, ...]]
) -> Callable[..., tuple[Any, ...]]:
  """Makes the picture of an answer Gradio's, for whom it is drawn already."""

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
    # The file as it came: Gradio would turn pictures, and leave files behind.
    preprocess=False,
    api_visibility='private',
    concurrency_id='recognise',
    concurrency_limit=1,
    show_progress='minimal',
  )
