"""VGG16 (Fig. 3) as an ONNX file; needs the extra `onnx`."""

import os

import numpy as np

from avemotion.export.onnx_graph import FLOAT, UINT8, Graph
from avemotion.features import visual
from avemotion.features.vgg16_weights import Vgg16Weights
from avemotion.models.vgg16 import BLOCKS, convolution_names


def write(path: str | os.PathLike[str], weights: Vgg16Weights) -> None:
  """Writes VGG16 with the preprocessing of its weights.

  The input is `crops`, uint8[frames, 48, 48, 3], RGB; the output is `features`,
  float32[frames, 512], as of `programs.vgg16`.
  """
  graph = Graph()
  crops = graph.input('crops', UINT8, ('frames', *visual.CROP_SHAPE))
  x = _preprocessed(graph, crops, weights)
  x = graph.add('Transpose', x, perm=(0, 3, 1, 2))  # Channels first.
  names = iter(convolution_names())
  for convolutions, _ in BLOCKS:
    for _ in range(convolutions):
      layer = weights.params[next(names)]
      kernel = graph.constant(layer['kernel'].transpose(3, 2, 0, 1))
      bias = graph.constant(layer['bias'])
      x = graph.add('Conv', x, kernel, bias, pads=(1, 1, 1, 1))
      x = graph.add('Relu', x)
    x = graph.add('MaxPool', x, kernel_shape=(2, 2), strides=(2, 2))
  graph.write(
    path,
    output=graph.add('Flatten', x, axis=1),
    name='features',
    shape=('frames', visual.FEATURES),
    metadata={'weights': weights.source},
  )


def _preprocessed(graph: Graph, crops: str, weights: Vgg16Weights) -> str:
  preprocessing = weights.preprocessing
  pixels = graph.add('Cast', crops, to=FLOAT)
  if preprocessing.channels == 'BGR':
    backwards = graph.constant([2, 1, 0], np.int64)
    pixels = graph.add('Gather', pixels, backwards, axis=3)
  scaled = graph.add('Mul', pixels, graph.constant(preprocessing.scale))
  centred = graph.add('Sub', scaled, graph.constant(preprocessing.mean))
  return graph.add('Div', centred, graph.constant(preprocessing.std))
