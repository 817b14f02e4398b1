"""`EmotionClassifier` (Fig. 1) as an ONNX file; needs the extra `onnx`.

The graph mirrors `avemotion.models`; `checks` compares the numbers.
"""

import functools
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from avemotion.export.onnx_graph import FLOAT, INT32, INT64, Graph
from avemotion.models import pooling
from avemotion.training.trained_model import TrainedModel

_EPSILON = 1e-5  # flax.linen.BatchNorm's
_LOWEST = np.finfo(np.float32).min
_Params = Mapping[str, Any]


def write(path: str | os.PathLike[str], model: TrainedModel) -> None:
  """Writes a model of any `dtype`, in float32.

  The inputs are, for each modality, `video` or `audio`, float32[batch, time,
  features], and `video_lengths` or `audio_lengths`, int32[batch]; the output is
  `probabilities`, float32[batch, labels], as of `programs.classifier`.
  """
  graph = Graph()
  modalities = model.config.model.modalities
  branches = [_BranchNodes(graph, model, modality) for modality in modalities]
  vectors = [each.vector for each in branches]
  if len(branches) > 1:  # The video branch is first.
    weight = graph.constant(model.config.model.video_weight)
    heard = branches[1].there
    weight = graph.add('Where', heard, weight, graph.constant(1.0))
    vectors[0] = graph.add('Mul', vectors[0], weight)
  joined = graph.add('Concat', *vectors, axis=-1)
  logits = _dense(graph, joined, model.variables['params']['logits'])
  temperature = _temperature(graph, model, branches)
  found = graph.add('Softmax', graph.add('Div', logits, temperature), axis=-1)
  join = functools.partial(graph.add, 'Or')
  any_there = functools.reduce(join, (each.there for each in branches))
  answer = graph.add('Where', any_there, found, graph.constant(np.nan))
  labels = list(model.label_names)
  graph.write(
    path,
    output=answer,
    name='probabilities',
    shape=('batch', len(labels)),
    metadata={'labels': json.dumps(labels)},
  )


def _temperature(
  graph: Graph, model: TrainedModel, branches: Sequence['_BranchNodes']
) -> str:
  """Adds the temperature for each clip's modalities, () or [batch, 1]."""
  chosen = graph.constant(model.temperature)
  if model.branch_temperatures and len(branches) > 1:
    modalities = model.config.model.modalities
    for branch, other in zip(branches, reversed(branches), strict=True):
      alone = graph.add('And', branch.there, graph.add('Not', other.there))
      own = model.temperature_of([modalities[branches.index(branch)]])
      chosen = graph.add('Where', alone, graph.constant(own), chosen)
  return chosen


class _BranchNodes:
  """Nodes of one branch (Fig. 2, 5).

  `there` is bool[batch, 1], whether the clip has a step of the modality;
  `vector` is float32[batch, dense_features], zero if it has none.
  """

  def __init__(self, graph: Graph, model: TrainedModel, modality: str) -> None:
    self._graph = graph
    self._config = model.config.model
    self._own = getattr(self._config, modality)
    self._params = model.variables['params'][modality]
    shape = 'batch', f'{modality}_time', model.feature_dims[modality]
    rows = graph.input(modality, FLOAT, shape)
    self._lengths = graph.input(f'{modality}_lengths', INT32, ('batch',))
    any_step = graph.add('Greater', self._lengths, graph.constant(0, np.int32))
    self.there = self._column(any_step)
    statistics = model.variables['statistics'][modality]['standardize']
    x = self._standardised(rows, statistics)
    x = graph.add('Transpose', x, perm=(1, 0, 2))  # T B D
    self._mask = self._step_mask(x)
    mean = self._weighted_mean(x, self._mask)
    x = self._relative(x, mean)
    pooled = []
    if self._own.skip:
      pooled = [self._pooled(kind, x, '') for kind in ('mean', 'std')]
    for layer in range(self._own.num_layers):
      x, last = self._gru(x, self._params[f'gru_{layer}']['cell'])
    if self._own.num_layers:
      pooled += [self._pooled(kind, x, last) for kind in self._config.pooling]
    layers = self._params['dense']
    if self._config.batch_norm:
      stats = model.variables['batch_stats'][modality]['batch_norm']
      layers = _normalised(layers, self._params['batch_norm'], stats)
    vector = _dense(graph, graph.add('Concat', *pooled, axis=-1), layers)
    if self._own.doubt is not None:
      vector = graph.add('Mul', vector, self._trust(mean, self._own.doubt))
    there = graph.add('Cast', self.there, to=FLOAT)
    self.vector = graph.add('Mul', vector, there)

  def _trust(self, mean: str, doubt: float) -> str:
    """Computes the factor of a vector, float32[batch, 1], see `branches`."""
    add, limit = self._graph.add, self._graph.constant(doubt**2)
    squares = add('ReduceMean', add('Mul', mean, mean), axes=[1], keepdims=1)
    share = add('Div', limit, add('Max', squares, limit))
    return add('Mul', share, share)

  def _standardised(self, rows: str, statistics: Mapping[str, Any]) -> str:
    """Standardises the features that the branch uses."""
    mean, std = statistics['mean'], statistics['std']
    read = self._between(rows, 0, len(mean), axis=2)
    centred = self._graph.add('Sub', read, self._graph.constant(mean))
    return self._graph.add('Div', centred, self._graph.constant(std))

  def _step_mask(self, rows: str) -> str:
    """Makes a mask float32[time, batch, 1], 1 where a step is valid."""
    add, constant = self._graph.add, self._graph.constant
    time = add('Gather', add('Shape', rows), constant(0, np.int64))
    steps = add('Range', constant(0, np.int64), time, constant(1, np.int64))
    lengths = add('Cast', self._lengths, to=INT64)
    valid = add('Less', self._column(steps), lengths)
    return add('Unsqueeze', add('Cast', valid, to=FLOAT), self._axes(2))

  def _relative(self, x: str, mean: str) -> str:
    """Subtracts the clip's mean, and appends deltas, if configured."""
    if self._own.cmn:
      x = self._graph.add('Sub', x, mean)
    if self._own.deltas:
      first, but_last = self._between(x, 0, 1), self._between(x, 0, -1)
      before = self._graph.add('Concat', first, but_last, axis=0)
      change = self._graph.add('Sub', x, before)
      x = self._graph.add('Concat', x, change, axis=-1)
    return x

  def _gru(self, x: str, cell: Mapping[str, Any]) -> tuple[str, str]:
    """Returns states float32[time, batch, features], and the last valid one."""
    # ONNX's GRU resets before the matrix product, like equation (3), but its z
    # keeps the old state. Since σ(-a) = 1 - σ(a), z's weights are negated.
    kernel = np.asarray(cell['input']['kernel'])
    recurrent = np.asarray(cell['recurrent_kernel'])
    size = len(recurrent)
    bias = np.zeros(6 * size, np.float32)  # Of the inputs, then of the state.
    bias[: 3 * size] = cell['input'].get('bias', 0)
    signs = np.repeat([-1.0, 1.0, 1.0], size).astype(np.float32)
    bias[: 3 * size] *= signs
    weights = (kernel * signs).T[None], (recurrent * signs).T[None], bias[None]
    constants = map(self._graph.constant, weights)
    states, last = self._graph.add_all(
      'GRU',
      [x, *constants, self._lengths],
      2,
      hidden_size=size,
      linear_before_reset=0,
    )
    return (
      self._graph.add('Squeeze', states, self._axes(1)),
      self._graph.add('Squeeze', last, self._axes(0)),
    )

  def _pooled(self, kind: str, states: str, last: str) -> str:
    """Adds one kind of `pooling.POOLINGS`, float32[batch, features]."""
    add, constant = self._graph.add, self._graph.constant
    if kind == 'last':
      return last
    mean = self._weighted_mean(states, self._mask)
    if kind == 'mean':
      return mean
    if kind == 'std':
      squares = self._weighted_mean(add('Mul', states, states), self._mask)
      variance = add('Sub', squares, add('Mul', mean, mean))
      smallest = constant(pooling.SMALLEST_VARIANCE)
      return add('Sqrt', add('Max', variance, smallest))
    layers = self._params['pooling']
    hidden = add('Tanh', _dense(self._graph, states, layers['hidden']))
    scores = _dense(self._graph, hidden, layers['score'])
    valid = add('Greater', self._mask, constant(0))
    scores = add('Where', valid, scores, constant(_LOWEST))
    return self._weighted_mean(states, add('Softmax', scores, axis=0))

  def _weighted_mean(self, states: str, weights: str) -> str:
    """Averages over time; zero where all weights are zero."""
    add, over_time = self._graph.add, self._axes(0)
    weighted = add('Mul', states, weights)
    sums = add('ReduceSum', weighted, over_time, keepdims=0)
    totals = add('ReduceSum', weights, over_time, keepdims=0)
    return add('Div', sums, add('Max', totals, self._graph.constant(1)))

  def _between(self, x: str, start: int, end: int, axis: int = 0) -> str:
    bounds = map(self._axes, (start, end, axis))
    return self._graph.add('Slice', x, *bounds)

  def _column(self, x: str) -> str:
    """Turns [length] into [length, 1]."""
    return self._graph.add('Unsqueeze', x, self._axes(1))

  def _axes(self, axis: int) -> str:
    return self._graph.constant([axis], np.int64)


def _dense(graph: Graph, x: str, layer: Mapping[str, Any]) -> str:
  product = graph.add('MatMul', x, graph.constant(layer['kernel']))
  if 'bias' not in layer:
    return product
  return graph.add('Add', product, graph.constant(layer['bias']))


def _normalised(layer: _Params, batch_norm: _Params, stats: _Params) -> _Params:
  """Merges batch normalisation into the dense layer before it."""
  scale = batch_norm['scale'] / np.sqrt(stats['var'] + _EPSILON)
  return {
    'kernel': layer['kernel'] * scale,
    'bias': batch_norm['bias'] - stats['mean'] * scale,
  }
