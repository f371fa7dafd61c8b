"""A server on this computer that gives files, and gets it wrong in the ways that servers do."""

import http.server
import threading
import time
from collections import Counter
from typing import Any


class Server(http.server.ThreadingHTTPServer):
    """Gives ``files`` by path; ``mode`` says how, for all requests or for the first ones alone.

    right; wrong (one byte is another); short (breaks off half way); liar (announces half of what it sends); garbage (a
    page of HTML); open (half, without a length); flood (never ends); 404; 500; hang (no answer); closed (the connection
    ends without one); gibberish (no HTTP); stall (half, and then nothing); drip (a byte at a time); tired (half, and
    then a byte at a time); redirect; encoded (the file, called a page that is packed for the way);
    416, other part (to those who want the rest of a file).
    """

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.mode = "right"
        self.first: list[str] = []
        """Modes of the first requests, before ``mode``."""
        self.asked: Counter[str] = Counter()
        self.ranges = False
        """Whether it gives the rest of a file where only that is asked for."""
        self.rests: list[str] = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def stop(self) -> None:
        """Let go of those who wait, and answer no more."""
        if not self.ended.is_set():
            self.ended.set()
            self.shutdown()
            self.server_close()
            self.thread.join()

    def handle_error(self, *_: Any) -> None:
        """Those who hang up on us are no fault."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    range = ""

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.close_connection = True
        path = self.path.lstrip("/")
        self.server.asked[path] += 1
        rest = self.headers.get("Range")
        self.server.rests += [rest] if rest else []
        mode = self.server.first.pop(0) if self.server.first else self.server.mode
        if path.startswith("moved/"):
            path, mode = path.removeprefix("moved/"), "right"
        content = self.server.files.get(path)
        if mode == "closed":
            return
        if content is None or mode in ("404", "500"):
            self.send_error(500 if mode == "500" else 404)
        elif mode == "416":
            self.send_error(416)
        elif mode == "redirect":
            self.send_response(302)
            self.send_header("Location", f"/moved/{path}")
            self.end_headers()
        elif mode == "garbage":
            self.give(b"<html>Please log in</html>")
        elif mode == "gibberish":
            self.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")
        elif mode == "hang":
            self.server.ended.wait(5)
        else:
            if rest and self.server.ranges:
                begin = int(rest.removeprefix("bytes=").removesuffix("-"))
                self.range = f"bytes {begin}-{len(content) - 1}/{len(content)}"
                content = content[begin:]
                if mode == "other part":
                    self.range = f"bytes {begin + 1}-{begin + len(content)}/*"
            self.give_oddly(content, mode)

    def give(self, content: bytes, length: int | None = None, encoding: str = "") -> None:
        self.send_response(206 if self.range else 200)
        if self.range:
            self.send_header("Content-Range", self.range)
        if encoding:
            self.send_header("Content-Encoding", encoding)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)

    def give_oddly(self, content: bytes, mode: str) -> None:
        half = len(content) // 2
        if mode in ("right", "other part"):
            self.give(content)
        elif mode == "encoded":
            self.give(content, encoding="gzip")
        elif mode == "wrong":
            self.give(content[:-1] + bytes([content[-1] ^ 1]))
        elif mode == "short":
            self.give(content[:half], len(content))
        elif mode == "liar":
            self.give(content, half)
        elif mode == "stall":
            self.give(content[:half], len(content))
            self.server.ended.wait(5)
        elif mode in ("drip", "tired"):
            begin = half if mode == "tired" else 0
            self.give(content[:begin], len(content))
            for i in range(begin, len(content)):
                self.wfile.write(content[i : i + 1])
                time.sleep(0.02)
        else:  # no length, and more than the file has (flood) or less (open)
            self.send_response(200)
            self.end_headers()
            while mode == "flood":
                self.wfile.write(content)
            self.wfile.write(content[:half])
