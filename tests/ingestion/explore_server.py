"""A real HTTP server on 127.0.0.1 that speaks the Explore API v2.1, and misbehaves on command."""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

#: What one answer does instead of what it should: it gets the handler and the body.
Fault = Callable[["Answer", bytes], None]


@dataclass
class Portal:
    """The records it holds, the faults of its next answers, and what it was asked."""

    records: list[dict[str, Any]]
    faults: deque[Fault | None] = field(default_factory=deque)
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    announced_more: int = 0
    ranges: bool = False
    url: str = ""

    def found(self, where: str) -> list[dict[str, Any]]:
        """Records of the days that the condition names, in order."""
        first, after = re.findall(r"date'([\d-]+)'", where)[:2]
        rows = [row for row in self.records if first <= row["dateparution"] < after]
        return sorted(rows, key=lambda row: (row["dateparution"], row["id"]))


class Answer(BaseHTTPRequestHandler):
    """One request."""

    portal: Portal
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.portal.asked.append(self.path)
        self.portal.headers.append(dict(self.headers))
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        rows = self.portal.found(query["where"])
        if parts.path.endswith("/exports/jsonl"):
            body = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()
        else:
            offset, limit = int(query["offset"]), int(query["limit"])
            assert limit <= 100
            assert offset + limit <= 10_000
            count = len(rows) + self.portal.announced_more
            body = json.dumps({"total_count": count, "results": rows[offset : offset + limit]}).encode()
        fault = self.portal.faults.popleft() if self.portal.faults else None
        (fault or Answer.whole)(self, body)

    def whole(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """The right answer, or the part of it that was asked for."""
        sent = dict(headers or {})
        if self.portal.ranges and status == 200:
            sent["ETag"] = '"same"'
            start = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            if start:
                status, sent["Content-Range"] = 206, f"bytes {start[1]}-{len(body) - 1}/{len(body)}"
                body = body[int(start[1]) :]
        self.send_response(status)
        for name, value in sent.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Quiet."""


def status(code: int, **headers: str) -> Fault:
    """Answer with this status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda answer, _body: answer.whole(b'{"message": "no"}', code, named)


def cut(share: float) -> Fault:
    """Close the connection after this share of the body."""

    def close(answer: Answer, body: bytes) -> None:
        answer.send_response(200)
        answer.send_header("Content-Length", str(len(body)))
        if answer.portal.ranges:
            answer.send_header("ETag", '"same"')
        answer.end_headers()
        answer.wfile.write(body[: int(len(body) * share)])
        answer.close_connection = True

    return close


@contextmanager
def portal_of(records: list[dict[str, Any]]) -> Iterator[Portal]:
    """A portal that serves these records until the end of the block."""
    portal = Portal(records)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Answer,), {"portal": portal}))
    portal.url = f"http://127.0.0.1:{server.server_port}/api/explore/v2.1"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield portal
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
