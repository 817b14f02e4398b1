"""Tests of Markdown and of its self-contained page."""

import base64
import html.parser

from avemotion.evaluation import markdown


def test_lines_are_of_80_characters():
  text = markdown.wrap('word ' * 60, '- ', '  ')
  first, *rest = text.splitlines()
  assert first.startswith('- word')
  assert all(line.startswith('  word') for line in rest)
  assert max(map(len, text.splitlines())) <= 80


def test_columns_of_a_table_are_aligned():
  text = markdown.table(('run', 'ß'), [('a | b', '1'), ('longer name', '22')])
  assert text.splitlines() == [
    '| run         | ß   |',
    '| ----------- | --- |',
    r'| a \| b      | 1   |',
    '| longer name | 22  |',
  ]


class Page(html.parser.HTMLParser):
  def __init__(self, text):
    super().__init__()
    self.tags, self.words = [], []
    self.feed(text)

  def handle_starttag(self, tag, attrs):
    self.tags.append((tag, dict(attrs)))

  def handle_data(self, data):
    self.words.append(data.strip())


def test_a_page_holds_its_pictures_and_asks_for_nothing(tmp_path):
  (tmp_path / 'a.png').write_bytes(b'a picture')
  table = markdown.table(('run', 'accuracy'), [('a | b', '80%')])
  text = (
    f'# Title\n\n> warning\n\n{table}\n\n![seen](a.png)\n\n<script>x</script>'
  )
  markdown.save_html(tmp_path / 'page.html', text, 'a < b')
  written = (tmp_path / 'page.html').read_text()
  page = Page(written)
  (image,) = [attributes for tag, attributes in page.tags if tag == 'img']
  kind, _, data = image['src'].partition(',')
  assert kind == 'data:image/png;base64'
  assert base64.b64decode(data) == b'a picture'
  assert image['alt'] == 'seen'
  tags = {tag for tag, _ in page.tags}
  assert {'h1', 'blockquote', 'table', 'td'} <= tags
  assert not tags & {'script', 'link', 'iframe'}
  assert 'http' not in written
  assert '@import' not in written
  assert {'a | b', 'a < b'} <= set(page.words)
