"""Tests of local hosts."""

import pytest

from avemotion.apps import hosts


@pytest.mark.parametrize(
  ('netloc', 'name'),
  [
    ('localhost:7860', 'localhost'),
    ('Studio.local', 'studio.local'),
    ('[::1]:7860', '::1'),
    ('a@b:1', 'b'),
    ('[::1', ''),
    ('', ''),
  ],
)
def test_the_name_is_that_without_the_port(netloc, name):
  assert hosts.name_of(netloc) == name


@pytest.mark.parametrize(
  ('host', 'is_local'),
  [
    ('localhost', True),
    ('127.0.0.2', True),
    ('::1', True),
    ('0.0.0.0', False),
    ('::', False),
    ('127.0.0.1.example.org', False),
  ],
)
def test_loopback_alone_is_local(host, is_local):
  assert hosts.is_local(host) == is_local
