"""Measures the figures of the docs, and writes them into docs/results.json.

python launch/benchmark NAME [flags]
python launch/benchmark NAME --help
"""

import importlib
import pathlib
import sys

# Also in the contenders' processes, from any working directory.
sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from absl import app, flags  # noqa: E402

from avemotion.training import logs  # noqa: E402

# Module, function and description, by name.
_BENCHMARKS = {
  'gru': ('layers', 'main', 'recurrent layers, ours and peers'),
  'train': ('training', 'steps', 'training steps, ours and peers'),
  'crossval': ('training', 'crossval', 'ten folds as one program, and apart'),
  'recognise': (
    'recognition',
    'recognise',
    'a clip, warm and in a new process',
  ),
  'memory': ('recognition', 'memory', 'peak memory of a long clip'),
  'stream': ('recognition', 'stream', 'a clip as a stream, and as a file'),
  'quickstart': ('recognition', 'quickstart', 'the quick start, in seconds'),
  'extract': ('extraction', 'extract', 'faces and MFCC of real clips'),
  'stages': ('extraction', 'stages', 'extraction relative to decoding'),
  'dataset': ('dataset', 'main', 'preparing and reading TFRecords'),
  'scale': ('scale', 'main', 'thousands of clips: is time linear, memory flat'),
  'scale_rates': ('scale', 'rates', 'each front end: hours, bytes, memory'),
  'scale_limits': (
    'scale_limits',
    'main',
    'what a clip costs the main process',
  ),
  'tpu': ('tpu', 'main', "programs, by the TPU's compiler without a TPU"),
  'record': ('finished', 'record', 'accuracy and UAR of a finished run'),
  'missing': ('finished', 'missing', 'points lost without a modality'),
  'sees_pixels': ('sees', 'pixels', 'landmarks of real clips, ours and given'),
  'unseen_scores': ('unseen', 'scores', 'runs: face and voice, voice, face'),
  'unseen_enrolled': ('unseen', 'enrolled', 'runs, speakers enrolled'),
  'unseen_noise': ('unseen', 'noise', 'a run, in noise and at other levels'),
  'unseen_detector': ('unseen', 'detector', 'runs, with noisy landmarks'),
  'unseen_abroad': ('released', 'abroad', 'other languages and cameras'),
  'unseen_speed': (
    'released',
    'speed',
    'seconds of the model that ships',
  ),
  'field_level': ('field', 'level', 'the model that ships, at other levels'),
  'field_faces': ('field', 'found_faces', 'small faces in large frames'),
  'field_fuzz': ('field', 'fuzz', 'damaged files of every kind'),
  'field_cases': (
    'field_cases',
    'main',
    'known problems of similar tools, case by case',
  ),
  'gpu': ('gpu', 'main', 'training and VGG16 on one GPU, resumable'),
  'house': ('house', 'main', 'lines of source, tests, the install'),
  'words': ('words', 'main', 'the documents, and their code blocks'),
}


def main(arguments: list[str]) -> None:
  """Runs one benchmark by its name."""
  global __doc__  # --help shows it above the flags.
  name, *rest = arguments or ['--help']
  if name == '--help':
    print(f'{__doc__}')
    for each, (_, _, what) in _BENCHMARKS.items():
      print(f'  {each:16}{what}')
    return
  if name not in _BENCHMARKS:
    sys.exit(f'benchmark: expected {", ".join(_BENCHMARKS)}, got {name}')
  module_name, function, _ = _BENCHMARKS[name]
  module = importlib.import_module(f'launch.benchmark.{module_name}')
  __doc__ = str(module.__doc__)
  for each in [x for x in sys.modules if x.startswith('launch.benchmark.')]:
    flags.adopt_module_key_flags(sys.modules[each])

  def run(argv: list[str]) -> int | None:
    logs.log_to_terminal()
    try:
      failed: int | None = getattr(module, function)(argv[1:])
    except (ValueError, OSError) as error:
      sys.exit(f'benchmark {name}: {error}')
    return failed

  app.run(run, [sys.argv[0], *rest])


if __name__ == '__main__':
  main(sys.argv[1:])
