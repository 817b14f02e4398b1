"""Configuration files, and changes to them from the command line."""

import dataclasses
import pathlib
import runpy
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import avemotion
from avemotion.training.config import Config, ConfigError

# The configurations are inside the package in a wheel, beside it in a checkout.
_PACKAGE = pathlib.Path(avemotion.__file__).parent
_SHIPPED = _PACKAGE / 'configs'
if not _SHIPPED.is_dir():
  _SHIPPED = _PACKAGE.parent / 'launch' / 'configs'
_SHIPPED_AS = (pathlib.Path(), pathlib.Path('launch', 'configs'))


def split_overrides(argv: Sequence[str]) -> tuple[dict[str, str], list[str]]:
  """Separates `--config.KEY=VALUE` from a command line's other arguments.

  Returns overrides for `load_config`, and the other arguments.

  Raises:
    ConfigError: a key has no value.
  """
  prefix = '--config.'
  own = [each for each in argv if each.startswith(prefix)]
  overrides = {}
  for argument in own:
    key, equals, value = argument.removeprefix(prefix).partition('=')
    if not equals:
      raise ConfigError(
        f'expected {prefix}{key}=VALUE, with an equals sign, got {argument}'
      )
    overrides[key] = value
  return overrides, [each for each in argv if each not in own]


def load_config(name: str, overrides: Mapping[str, str]) -> Config:
  """Reads a configuration file and applies the command line's changes.

  Args:
    name: a Python file that defines `get_config() -> Config`, or the name of a
      configuration that ships: 'audio', 'audio.py', 'launch/configs/audio.py'.
    overrides: values as text, by dotted key: {'optimizer.learning_rate':
      '3e-4'}. Commas separate a tuple; 'none' clears an optional value.

  Raises:
    ConfigError: the file is missing or defines no configuration, a key is
      unknown, or a value has another type.
  """
  config = _defined(name, 'get_config')
  if not isinstance(config, Config):
    raise ConfigError(f'{name} defines no get_config() that returns a Config')
  return _with(config, overrides)


def load_rows(name: str, overrides: Mapping[str, str]) -> dict[str, Config]:
  """Reads the rows of an ablation, and overrides each as `load_config` does.

  The file, named as for `load_config`, defines `get_rows() -> dict[str,
  Config]`.
  """
  rows = _defined(name, 'get_rows')
  configs = rows.values() if isinstance(rows, dict) else ()
  if not configs or not all(isinstance(each, Config) for each in configs):
    raise ConfigError(f'{name} defines no get_rows() that returns Configs')
  return {row: _with(config, overrides) for row, config in rows.items()}


def _defined(name: str, function: str) -> Any:
  """Calls a function of a configuration file; None if it has no such one."""
  path = _file(name)
  try:
    return runpy.run_path(path).get(function, lambda: None)()
  except (ConfigError, SyntaxError, TypeError, NameError) as error:
    raise ConfigError(f'{name}: {error}') from error


def _file(name: str) -> str:
  """Finds the file at that path, or the shipped configuration of that name."""
  path = pathlib.Path(name)
  if path.is_file():
    return name
  shipped = _SHIPPED / f'{path.name.removesuffix(".py")}.py'
  if shipped.is_file() and path.parent in _SHIPPED_AS:
    return str(shipped)
  names = ', '.join(sorted(each.stem for each in _SHIPPED.glob('[a-z]*.py')))
  raise ConfigError(
    f'no configuration file {name}; give a path, or one of {names}'
  )


def _with(config: Config, overrides: Mapping[str, str]) -> Config:
  for key, text in overrides.items():
    config = _override(config, key.split('.'), text, key)
  return config


def _override(config: Any, keys: list[str], text: str, full_key: str) -> Any:
  name, *rest = keys
  kinds = {field.name: field.type for field in dataclasses.fields(config)}
  if name not in kinds or dataclasses.is_dataclass(kinds[name]) != bool(rest):
    raise ConfigError(
      f'no configuration key {full_key!r}; {type(config).__name__} has'
      f' {", ".join(kinds)}'
    )
  if rest:
    value = _override(getattr(config, name), rest, text, full_key)
  else:
    value = _parse(text, kinds[name], full_key)
  return dataclasses.replace(config, **{name: value})


def _parse(text: str, kind: Any, key: str) -> Any:
  if isinstance(kind, types.UnionType):  # Only `… | None` is used.
    if text.lower() == 'none':
      return None
    kind = typing.get_args(kind)[0]
  if typing.get_origin(kind) is tuple:
    return tuple(part for part in text.split(',') if part)
  booleans = {'true': True, 'false': False}
  try:
    return booleans[text.lower()] if kind is bool else kind(text)
  except (KeyError, ValueError) as error:
    article = 'an' if kind is int else 'a'
    raise ConfigError(
      f'{key} takes {article} {kind.__name__}, got {text!r}'
    ) from error
