"""`EmotionClassifier` (Fig. 1) as an ONNX file; needs the extra `onnx`."""

import functools
import json
import os

import numpy as np

from avemotion.export.onnx_branch import OnnxBranch, dense
from avemotion.export.onnx_graph import Graph
from avemotion.training.checkpoints import TrainedModel


def write(path: str | os.PathLike[str], model: TrainedModel) -> None:
  """Writes a model, whatever its `dtype` in float32.

  For each modality it reads `video` or `audio`, float32[batch, time, features],
  and `video_lengths` or `audio_lengths`, int32[batch]; it gives
  `probabilities`, float32[batch, labels], as `programs.classifier` does.

  Args:
    path: `….onnx`.
    model: any.

  Raises:
    OSError: it cannot be written.
  """
  graph = Graph()
  branches = [
    OnnxBranch(graph, model, modality)
    for modality in model.config.model.modalities
  ]
  joined = graph.add('Concat', *(each.vector for each in branches), axis=-1)
  logits = dense(graph, joined, model.variables['params']['logits'])
  cooled = graph.add('Div', logits, graph.constant(model.temperature))
  found = graph.add('Softmax', cooled, axis=-1)
  told = functools.reduce(
    functools.partial(graph.add, 'Or'), (each.there for each in branches)
  )
  answer = graph.add('Where', told, found, graph.constant(np.nan))
  labels = list(model.label_names)
  graph.write(
    path,
    output=answer,
    name='probabilities',
    shape=('batch', len(labels)),
    told={'labels': json.dumps(labels)},
  )
