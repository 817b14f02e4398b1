"""Sphinx's configuration: python -m sphinx -W -b html docs build/docs."""

import re
from typing import Any

import sphinx.application

import avemotion

project = 'avemotion'
author = 'The avemotion authors'
copyright = f'2026, {author}'
release = version = avemotion.__version__

extensions = [
  'myst_nb',  # Markdown and notebooks, by myst-parser.
  'sphinx.ext.autodoc',
  'sphinx.ext.napoleon',
]
exclude_patterns = ['results.json', 'search.jsonl']

myst_enable_extensions = ['attrs_inline', 'colon_fence', 'deflist']
myst_heading_anchors = 4
# The tutorial shows the outputs that are stored in it.
nb_execution_mode = 'off'

# `name` in a docstring links to what it names, if there is such a thing.
default_role = 'py:obj'
autodoc_default_options = {
  'members': True,
  # Fields of Flax modules whose defaults have docstrings of their own. The
  # docstring of the class explains the fields.
  'exclude-members': 'bias_init, carry_init, conv, dtype, kernel_init,'
  ' param_dtype, recurrent_kernel_init, setup',
}
autodoc_member_order = 'bysource'
autodoc_typehints_format = 'short'
autodoc_preserve_defaults = True
# ONNX is imported by the two modules that write it, and by nothing else.
autodoc_mock_imports = ['onnx', 'onnxruntime']
napoleon_numpy_docstring = False
napoleon_attr_annotations = False
toc_object_entries_show_parents = 'hide'

html_theme = 'furo'
html_title = f'avemotion {release}'
html_copy_source = False
html_show_sourcelink = False


def setup(app: sphinx.application.Sphinx) -> None:
  """Connects the functions below to the events that they handle."""
  app.connect('source-read', _offer_files_outside)
  app.connect('autodoc-skip-member', _is_tuple_field)
  app.connect('autodoc-process-signature', _own_arguments)


def _offer_files_outside(
  app: sphinx.application.Sphinx, page: str, source: list[str]
) -> None:
  """Makes a link to Markdown outside docs/, as ../SECURITY.md, a download."""

  def offered(link: re.Match[str]) -> str:
    text, target = link.groups()
    path = (app.srcdir / page).parent.joinpath(target).resolve()
    if path.is_relative_to(app.srcdir):
      return link[0]
    return f'{{download}}`{text.replace("`", "")} <{target}>`'

  source[0] = re.sub(
    r'\[([^\]]+)\]\((\.\./[^)#]+\.md)(?:#[^)]*)?\)', offered, source[0]
  )


def _is_tuple_field(*event: Any) -> bool | None:
  _, _, _, member, *_ = event
  return True if type(member).__name__ == '_tuplegetter' else None


def _own_arguments(*event: Any) -> tuple[str, str] | None:
  *_, arguments, returned = event
  if arguments is None:
    return None
  return re.sub(r'(, )?parent: .*_Sentinel.*\)$', ')', arguments), returned
