"""What can go wrong between a base and the landing folder, said in French to the person who can do something about it."""

from __future__ import annotations


class ConnectorError(ValueError):
    """A settings file cannot be used; the message names the file and the line."""


class PeerFault(Exception):
    """The base cannot be reached, does not let us in, or misbehaves: nothing was taken, a later fetch may succeed."""


class DeliveryRefused(Exception):
    """What the base offers contradicts itself (a digest that does not match): left until it changes."""
