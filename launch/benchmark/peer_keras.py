"""Contenders in Keras on JAX; Keras comes with TensorFlow."""

import os
from collections.abc import Callable
from typing import Any

os.environ['KERAS_BACKEND'] = 'jax'

import keras
from keras import layers

from launch.benchmark import cases


def recurrent(
  case: cases.Recurrent, reset_after: bool = False
) -> tuple[Callable[..., Any], list[Any]]:
  """Makes the function of stacked `GRU(reset_after=…)`, and parameters."""
  stack = [_gru(case.features, True, reset_after) for _ in range(case.layers)]
  model = keras.Sequential(stack)
  model.build((case.batch, case.time, case.inputs))
  fixed = [variable.value for variable in model.non_trainable_variables]

  def apply(params: list[Any], samples: Any) -> Any:
    # Keras has the batch first, and transposes for its loop.
    return model.stateless_call(params, fixed, samples.swapaxes(0, 1))[0]

  return apply, [variable.value for variable in model.trainable_variables]


def training(
  modalities: tuple[str, ...], reset_after: bool = False
) -> Callable[[], object]:
  """Makes a call that trains a model for some steps by `fit`."""
  config, optimizer = cases.CONFIG.model, cases.CONFIG.optimizer
  inputs, found = {}, []
  for name in modalities:
    branch = getattr(config, name)
    x = inputs[name] = keras.Input(cases.SHAPES[name], name=name)
    for layer in range(1, branch.num_layers + 1):
      inner = layer < branch.num_layers
      x = _gru(branch.features, inner, reset_after)(x)
      x = layers.Dropout(config.dropout_rate)(x)
    x = layers.Dense(config.dense_features, use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    found.append(layers.Dropout(config.dropout_rate)(x))
  joined = layers.Concatenate()(found) if len(found) > 1 else found[0]
  model = keras.Model(inputs, layers.Dense(cases.NUM_CLASSES)(joined))
  model.compile(
    keras.optimizers.AdamW(
      optimizer.learning_rate,
      weight_decay=optimizer.weight_decay,
      global_clipnorm=optimizer.clip_norm,
    ),
    keras.losses.CategoricalCrossentropy(
      from_logits=True, label_smoothing=optimizer.label_smoothing
    ),
  )
  features, labels = cases.clips(modalities, cases.STEPS * cases.BATCH)
  targets = keras.utils.to_categorical(labels, cases.NUM_CLASSES)
  return lambda: model.fit(features, targets, cases.BATCH, verbose=0)


def _gru(units: int, return_sequences: bool, reset_after: bool) -> Any:
  return layers.GRU(
    units,
    return_sequences=return_sequences,
    reset_after=reset_after,
    use_bias=False,
  )
