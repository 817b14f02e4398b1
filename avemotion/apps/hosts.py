"""Names and addresses that a server is reached by."""

import ipaddress
import urllib.parse


def name_of(netloc: str) -> str:
  """The host of `host:port`, in small letters; '' where it is damaged."""
  try:
    return urllib.parse.urlsplit(f'//{netloc}').hostname or ''
  except ValueError:
    return ''


def is_address(host: str) -> bool:
  """True for digits, which lead to one machine whoever asks."""
  try:
    ipaddress.ip_address(host)
  except ValueError:
    return False
  return True


def is_local(host: str) -> bool:
  """True for an address or name that only this machine reaches."""
  if not is_address(host):
    return host == 'localhost'
  return ipaddress.ip_address(host).is_loopback
