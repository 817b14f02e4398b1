"""The peers in Keras, on JAX and on TensorFlow; only here."""

import os
from collections.abc import Callable
from typing import Any

from launch.benchmark import cases


def recurrent(case: cases.Recurrent, *, on_jax: bool) -> Callable[[], object]:
  """A call that does a case once, by `GRU(reset_after=False)`."""
  keras = _keras(on_jax)
  model = keras.Sequential(
    [
      keras.layers.GRU(
        case.features, return_sequences=True, reset_after=False, use_bias=False
      )
      for _ in range(case.layers)
    ]
  )
  model.build((case.batch, case.time, case.inputs))
  if not on_jax:
    return _tensorflow_call(model, case)
  import jax

  from launch.benchmark.recurrent import jax_call

  params = [variable.value for variable in model.trainable_variables]
  fixed = [variable.value for variable in model.non_trainable_variables]

  def apply(params: list[Any], samples: Any) -> Any:
    # Keras has the batch in front, and transposes for its loop itself.
    return model.stateless_call(params, fixed, samples.swapaxes(0, 1))[0]

  return jax_call(apply, params, case, jax.devices()[:1])


def _tensorflow_call(model: Any, case: cases.Recurrent) -> Callable[[], object]:
  import jax
  import tensorflow

  if jax.default_backend() != 'cpu':
    raise ModuleNotFoundError('TensorFlow is for CPUs here')
  samples = list(tensorflow.constant(case.samples().swapaxes(1, 2)))
  call = tensorflow.function(model)

  @tensorflow.function
  def step(batch: Any) -> None:
    with tensorflow.GradientTape() as tape:
      loss = tensorflow.reduce_mean(model(batch) ** 2)
    variables = model.trainable_variables
    gradients = tape.gradient(loss, [v.value for v in variables])
    for variable, gradient in zip(variables, gradients, strict=True):
      variable.assign(variable - cases.LEARNING_RATE * gradient)

  def each() -> None:
    for batch in samples:
      (step if case.train else call)(batch)

  return each


def training(modalities: tuple[str, ...]) -> Callable[[], object]:
  """A call that trains a model for some steps by `fit`, on JAX."""
  keras = _keras(on_jax=True)
  layers = keras.layers
  features, labels = cases.clips(modalities, cases.STEPS * cases.BATCH)
  sizes = {
    'video': [cases.VIDEO_FEATURES],
    'audio': [cases.AUDIO_FEATURES] * cases.AUDIO_LAYERS,
  }
  inputs, found = {}, []
  for name in modalities:
    x = inputs[name] = keras.Input(cases.SHAPES[name], name=name)
    for layer, units in enumerate(sizes[name], start=1):
      x = layers.GRU(
        units,
        return_sequences=layer < len(sizes[name]),
        reset_after=False,
        use_bias=False,
      )(x)
      x = layers.Dropout(cases.DROPOUT_RATE)(x)
    x = layers.Dense(cases.DENSE, use_bias=False)(x)
    found.append(
      layers.Dropout(cases.DROPOUT_RATE)(layers.BatchNormalization()(x))
    )
  joined = layers.Concatenate()(found) if len(found) > 1 else found[0]
  model = keras.Model(inputs, layers.Dense(cases.NUM_CLASSES)(joined))
  model.compile(
    keras.optimizers.AdamW(
      cases.LEARNING_RATE,
      weight_decay=cases.WEIGHT_DECAY,
      global_clipnorm=cases.CLIP_NORM,
    ),
    keras.losses.CategoricalCrossentropy(
      from_logits=True, label_smoothing=cases.LABEL_SMOOTHING
    ),
  )
  targets = keras.utils.to_categorical(labels, cases.NUM_CLASSES)
  return lambda: model.fit(features, targets, cases.BATCH, verbose=0)


def _keras(on_jax: bool) -> Any:
  os.environ['KERAS_BACKEND'] = 'jax' if on_jax else 'tensorflow'
  import keras

  return keras
