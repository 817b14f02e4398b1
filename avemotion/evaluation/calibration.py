"""Calibration of probabilities: cross-entropy and temperature."""

import numpy as np

_SMALLEST = 1e-12  # probability, before its logarithm


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
  """Returns the mean negative log-likelihood of the true labels, in nats.

  Args:
    probabilities: float[clips, labels].
    labels: int[clips].
  """
  likelihood = probabilities[np.arange(len(labels)), labels]
  return float(-np.log(np.maximum(likelihood, _SMALLEST)).mean())


def scale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
  """Returns the softmax of the logits divided by a temperature above 0.

  Args:
    probabilities: float[..., labels], a softmax of these logits.
    temperature: 1 changes nothing.
  """
  logits = np.log(np.maximum(probabilities, _SMALLEST)) / temperature
  powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
  return powers / powers.sum(axis=-1, keepdims=True)


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
  """Returns the temperature of lowest cross-entropy (Guo et al. 2017).

  Args:
    probabilities: float[clips, labels] of validation clips.
    labels: int[clips]; without clips the temperature is 1, else 0.05 to 20.
  """
  if not labels.size:
    return 1.0
  from scipy import optimize  # Recognition needs none of it.

  found = optimize.minimize_scalar(
    lambda power: cross_entropy(scale(probabilities, np.exp(power)), labels),
    bounds=(np.log(0.05), np.log(20)),
    method='bounded',
  )
  return float(np.exp(found.x))
