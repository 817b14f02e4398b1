"""Host names and addresses of a server."""

import ipaddress
import urllib.parse


def name_of(netloc: str) -> str:
  """Returns the host of `host:port` in lower case; '' if it is malformed."""
  try:
    return urllib.parse.urlsplit(f'//{netloc}').hostname or ''
  except ValueError:
    return ''


def is_address(host: str) -> bool:
  """Returns True for an IP address, which no DNS server can redirect."""
  try:
    ipaddress.ip_address(host)
  except ValueError:
    return False
  return True


def is_local(host: str) -> bool:
  """Returns True for a host that only this machine reaches."""
  if not is_address(host):
    return host == 'localhost'
  return ipaddress.ip_address(host).is_loopback
