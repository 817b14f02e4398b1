"""Calibration of probabilities: cross-entropy and temperature."""

import numpy as np

_SMALLEST = 1e-12  # least probability in a logarithm


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
  """Returns the mean negative log-likelihood of int[clips] labels, in nats."""
  likelihood = probabilities[np.arange(len(labels)), labels]
  return float(-np.log(np.maximum(likelihood, _SMALLEST)).mean())


def scale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
  """Divides the logits of a softmax, float[..., labels], by a temperature."""
  logits = np.log(np.maximum(probabilities, _SMALLEST)) / temperature
  powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
  return powers / powers.sum(axis=-1, keepdims=True)


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
  """Returns the temperature of lowest cross-entropy (Guo et al. 2017).

  `probabilities` are float[clips, labels] of validation clips, `labels`
  int[clips]. The temperature is between 0.05 and 20; without clips 1.
  """
  if not labels.size:
    return 1.0
  from scipy import optimize  # Imported here: recognition does not need it.

  found = optimize.minimize_scalar(
    lambda power: cross_entropy(scale(probabilities, np.exp(power)), labels),
    bounds=(np.log(0.05), np.log(20)),
    method='bounded',
  )
  return float(np.exp(found.x))
