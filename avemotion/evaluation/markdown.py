"""Markdown that is legible as text, and its HTML page."""

import base64
import html
import textwrap
from collections.abc import Iterable, Sequence

import markdown_it
import numpy as np
from etils import epath

from avemotion.data import files

_STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; max-width: 60rem; margin: auto; }
table { border-collapse: collapse; }
th, td { padding: .35rem .8rem; border-bottom: 1px solid #e3e7eb; }
blockquote { padding: .1rem 1rem; background: #fff4e5; }
img { display: block; max-width: 100%; max-height: 46rem; }
"""


def wrap(text: str, first: str = '', rest: str | None = None) -> str:
  """Breaks a paragraph into lines of 80 characters.

  `first`, such as '- ', begins the first line, and `rest`, by default `first`,
  the others.
  """
  return textwrap.fill(
    text,
    80,
    initial_indent=first,
    subsequent_indent=first if rest is None else rest,
    break_long_words=False,
    break_on_hyphens=False,
  )


def table(header: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
  """Writes a table with columns that are aligned in the text too."""
  cells = [[str(cell).replace('|', r'\|') for cell in row] for row in rows]
  columns = zip(header, *cells, strict=True)
  widths = [max(3, *map(len, column)) for column in columns]
  rule = ['-' * width for width in widths]
  lines = [
    ' | '.join(
      cell.ljust(width) for cell, width in zip(row, widths, strict=True)
    )
    for row in (header, rule, *cells)
  ]
  return '\n'.join(f'| {line} |' for line in lines)


def interval(ends: tuple[float, float]) -> str:
  """Formats an interval as '76.2–88.6%', and NaN as a dash."""
  low, high = ends
  return '–' if np.isnan(low) else f'{100 * low:.1f}–{high:.1%}'


def percent(share: float) -> str:
  """Formats a fraction as '81.3%', and NaN as a dash."""
  return '–' if np.isnan(share) else f'{share:.1%}'


def save_html(path: epath.Path, text: str, title: str) -> None:
  """Writes Markdown as a page that needs no other file, script or network.

  Embeds the pictures, PNGs beside the page, and shows HTML in the text as text.
  """
  parser = markdown_it.MarkdownIt('commonmark', {'html': False}).enable('table')
  tokens = parser.parse(text)
  for token in tokens:
    for child in token.children or ():
      if child.type == 'image':
        picture = path.parent / str(child.attrs['src'])
        data = base64.b64encode(picture.read_bytes()).decode()
        child.attrs['src'] = f'data:image/png;base64,{data}'
  body = parser.renderer.render(tokens, parser.options, {})
  files.write(
    path,
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    f'<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n'
    f'<body>\n{body}</body>\n</html>\n',
  )
