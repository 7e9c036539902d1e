"""Polite and suspicious HTTP: retries with backoff and jitter, a pace, a size and a slowness beyond which we hang up."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError
from urllib3.util import Retry, Timeout

from ingestion.connectors.faults import PeerFault

_BLOCK = 1 << 16
_MAX_PAGE_BYTES = 64 << 20
#: Below this rate, after the first moments, a body is given up: it would hold the connector for days.
_SLOWEST_BYTES_PER_SECOND, _SLOW_AFTER_SECONDS = 1_000, 30
_RETRIED = frozenset({429, 500, 502, 503, 504})
#: Seven tries within about two minutes; a `Retry-After` of the server wins, up to ten minutes.
_PATIENT = Retry(
    total=6, redirect=False, status_forcelist=_RETRIED, backoff_factor=1, backoff_jitter=1, retry_after_max=600
)
_ONCE = Retry(total=0, redirect=False, status_forcelist=_RETRIED)
#: What the decoder makes of numbers: integers are exact, the others keep their text.
_EXACT = json.JSONDecoder(parse_float=str)


@dataclass
class Client:
    """One base, asked at a pace; never follows to another address, so that neither data nor key go elsewhere."""

    url: str
    requests_per_second: float
    max_body_bytes: int
    patient: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    proxy: str | None = None
    _pool: urllib3.PoolManager = field(init=False)
    _next_at: float = 0.0

    def __post_init__(self) -> None:
        timeout = Timeout(connect=10, read=30)
        self._pool = (
            urllib3.ProxyManager(self.proxy, timeout=timeout) if self.proxy else urllib3.PoolManager(timeout=timeout)
        )
        self._policy = _PATIENT if self.patient else _ONCE

    def page(self, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        """A JSON object; a cut body is asked for again.

        Raises:
            PeerFault: the server refuses, does not answer, or answers something else.
        """
        retries = self._policy
        while True:
            response = self._get(path, parameters, retries)
            body = bytearray()
            try:
                self._read(response, body.extend, min(_MAX_PAGE_BYTES, self.max_body_bytes))
                break
            except HTTPError as error:
                retries = self._again(response, error)
            finally:
                response.release_conn()
        try:
            content = _EXACT.decode(body.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise PeerFault(f"réponse illisible : ce n'est pas du JSON ({error})") from error
        if not isinstance(content, dict):
            raise PeerFault("réponse inattendue : un objet JSON était attendu")
        return content

    def download(self, path: str, parameters: Mapping[str, str], target: IO[bytes]) -> None:
        """A whole body written to `target` from where it stands; after a cut, from the byte where it stopped when the
        server can do that, else from the start.

        Raises:
            PeerFault: as `page`.
        """
        start, retries, tag = target.tell(), self._policy, ""
        while True:
            done = target.tell() - start
            resumed = {"Range": f"bytes={done}-", "If-Range": tag} if done and tag else {}
            response = self._get(path, parameters, retries, resumed)
            if response.status != 206:
                target.seek(start)
                target.truncate()
                done = 0
            elif not response.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
                raise PeerFault("reprise impossible : le serveur renvoie une autre partie que celle demandée")
            tag = _strong_tag(response)
            try:
                self._read(response, target.write, self.max_body_bytes - done)
                return
            except HTTPError as error:
                retries = self._again(response, error)
            finally:
                response.release_conn()

    def _get(
        self, path: str, parameters: Mapping[str, str], retries: Retry, headers: Mapping[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        self._pace()
        url = f"{self.url}/{path}?{urlencode(parameters)}"
        sent = {"Accept-Encoding": "identity", **self.headers, **(headers or {})}
        try:
            response = self._pool.request(
                "GET", url, headers=sent, retries=retries, redirect=False, preload_content=False
            )
        except MaxRetryError as error:
            raise _unreachable(error) from error
        except HTTPError as error:
            raise PeerFault(f"serveur injoignable ({error})") from error
        if response.status in (200, 206):
            return response
        text = response.read(500).decode("utf-8", errors="replace")
        response.close()
        if 300 <= response.status < 400:
            raise PeerFault(
                f"redirection refusée vers {response.headers.get('Location', '?')} : corriger l'adresse si elle a changé"
            )
        raise PeerFault(f"le serveur refuse la demande (HTTP {response.status}) : {' '.join(text.split())}")

    def _read(self, response: urllib3.BaseHTTPResponse, write: Any, limit: int) -> None:
        """The body, as it comes; an incomplete one raises HTTPError, as a cut connection does."""
        received, started = 0, time.monotonic()
        while block := response.read1(_BLOCK):
            received += len(block)
            if received > limit:
                response.close()
                raise PeerFault(f"réponse trop longue : plus de {limit} octets")
            seconds = time.monotonic() - started
            if seconds > _SLOW_AFTER_SECONDS and received < seconds * _SLOWEST_BYTES_PER_SECOND:
                response.close()
                raise PeerFault(f"réponse trop lente : {received} octets en {seconds:.0f} s")
            write(block)

    def _again(self, response: urllib3.BaseHTTPResponse, error: HTTPError) -> Retry:
        """Wait before one more try after a body that was cut.

        Raises:
            PeerFault: there were too many.
        """
        response.close()
        retries = response.retries or self._policy
        try:
            retries = retries.increment("GET", self.url, error=error)
        except MaxRetryError as last:
            raise _unreachable(last) from last
        retries.sleep()
        return retries

    def _pace(self) -> None:
        """Wait until the next request is due."""
        wait = self._next_at - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        self._next_at = time.monotonic() + 1 / self.requests_per_second


def _strong_tag(response: urllib3.BaseHTTPResponse) -> str:
    """The entity tag by which a body can be continued, if the server gave one that means the very same bytes."""
    tag = response.headers.get("ETag", "")
    return "" if tag.startswith("W/") or "Content-Encoding" in response.headers else tag


def _unreachable(error: MaxRetryError) -> PeerFault:
    return PeerFault(f"le serveur ne répond pas comme il faut ({error.reason})")
