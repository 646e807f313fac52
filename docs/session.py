#!/usr/bin/env python3
"""Records docs/session.svg: runs the commands below for real, in a pseudo-terminal, and draws what they print.

    python3 docs/session.py

It builds the program first, and installs its tools, so that the recording begins warm. The drawing is what the terminal
shows at the end; nothing of it is changed.
"""

import fcntl
import html
import os
import pathlib
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
DRAWING = REPOSITORY / "docs/session.svg"
COLUMNS, LIMIT = 100, 600

# Where it runs, and the command as a shell takes it. The second group runs in a new folder, as after `cargo install`.
COMMANDS = [
    (REPOSITORY, "cargo run -- try --yes"),
    (None, "mcp-deploy init weather --example weather --yes"),
    (None, "cd weather"),
    (None, "mcp-deploy add-tool get_time --description 'Current time in a time zone' "
           "--param 'zone:string - IANA time zone' --output 'time:string' --read-only"),
    (None, "mcp-deploy check"),
]


# What SGR numbers are in the drawing; the last one wins.
STYLES = {"0": "", "1": "b", "2": "d", "31": "r", "32": "g", "33": "y", "36": "c", "92": "g"}


class Screen:
    """As much of a terminal as the program uses: rows of cells, each a character and its style."""

    def __init__(self):
        self.rows, self.row, self.column, self.style = [], 0, 0, ""
        self.pending = ""

    def line(self):
        while len(self.rows) <= self.row:
            self.rows.append([])
        return self.rows[self.row]

    def put(self, text):
        text, self.pending = self.pending + text, ""
        while text:
            if text[0] == "\x1b":
                escape = re.match(r"\x1b\[([0-9;?]*)([A-Za-z])", text)
                if not escape:
                    if len(text) > 20:
                        raise ValueError(f"an escape sequence that is not known: {text[:20]!r}")
                    self.pending = text
                    return
                self.escape(escape[1], escape[2])
                text = text[escape.end():]
                continue
            if text[0] == "\n":
                self.row, self.column = self.row + 1, 0
            elif text[0] == "\r":
                self.column = 0
            else:
                self.cell(text[0])
            text = text[1:]

    def cell(self, character):
        if self.column == COLUMNS:
            self.row, self.column = self.row + 1, 0
        cells = self.line()
        cells.extend([(" ", "")] * (self.column + 1 - len(cells)))
        cells[self.column] = (character, self.style)
        self.column += 1

    def escape(self, numbers, what):
        if what == "m":
            for number in (numbers or "0").split(";"):
                self.style = STYLES[number]
        elif what == "K":
            line = self.line()
            del line[0 if numbers == "2" else self.column :]
        elif what == "A":
            self.row = max(0, self.row - int(numbers or 1))
        elif what == "B":
            self.row += int(numbers or 1)
        elif what not in "hl":
            raise ValueError(f"an escape sequence that is not known: {numbers}{what}")


def run(command, folder, screen):
    """Runs it until it ends; fails where it fails."""
    child, terminal = pty.fork()
    if child == 0:
        path = f"{REPOSITORY / 'target/debug'}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "TERM": "xterm-256color", "TMPDIR": "/tmp"}
        environment.pop("NO_COLOR", None)
        os.chdir(folder)
        os.execvpe("sh", ["sh", "-c", f"exec {command}"], environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 60, COLUMNS, 0, 0))
    signal.alarm(LIMIT)
    read = b""
    while True:
        try:
            more = os.read(terminal, 65536)
        except OSError:
            break
        if not more:
            break
        read += more
        text = read.decode(errors="ignore")
        screen.put(text)
        read = read[len(text.encode()):]
    signal.alarm(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        sys.exit(f"`{command}` ended with {code}")


def session():
    """The rows that all commands leave."""
    screen = Screen()

    def say(text, style):
        screen.style = style
        screen.put(text)

    with tempfile.TemporaryDirectory() as home:
        folder = pathlib.Path(home)
        for where, command in COMMANDS:
            say("$ ", "p")
            say(command, "b")
            say("\r\n", "")
            if command.startswith("cd "):
                folder /= command[3:]
            else:
                run(command, where or folder, screen)
            if not command.startswith("cd ") and screen.rows[-1]:
                screen.put("\r\n")
    return screen.rows


def drawn(rows):
    width, height, top = 8.4, 19, 46
    while rows and not rows[-1]:
        rows.pop()
    parts = []
    for number, cells in enumerate(rows):
        runs, y = [], top + number * height
        for column, (character, style) in enumerate(cells):
            if runs and runs[-1][1] == style:
                runs[-1][2] += character
            else:
                runs.append([column, style, character])
        spans = "".join(
            f'<tspan x="{20 + column * width:.1f}" textLength="{len(text) * width:.1f}"'
            + (f' class="{style}"' if style else "")
            + f">{html.escape(text, quote=False)}</tspan>"
            for column, style, text in ((c + len(t) - len(t.lstrip()), s, t.strip()) for c, s, t in runs)
            if text
        )
        if spans:
            parts.append(f'<text y="{y}">{spans}</text>')
    across, down = 40 + COLUMNS * width, top + len(rows) * height + 4
    commands = ", ".join(command.split(" --")[0] for _, command in COMMANDS if not command.startswith("cd "))
    return f"""<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 {across:.0f} {down}" role="img" \
aria-labelledby="title desc">
<!-- Recorded by docs/session.py; not edited. -->
<title id="title">A terminal session with mcp-deploy</title>
<desc id="desc">What these commands print: {html.escape(commands)}.</desc>
<style>
text {{ font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #d8dee9; \
white-space: pre }}
.p {{ fill: #7f8ea3 }} .b {{ font-weight: bold; fill: #ffffff }} .d {{ fill: #8d99ab }}
.g {{ fill: #8fd18a }} .c {{ fill: #7cc7e8 }} .y {{ fill: #e8c66f }} .r {{ fill: #f08a8a }}
</style>
<rect width="100%" height="100%" rx="10" fill="#1b2230"/>
<circle cx="22" cy="18" r="5" fill="#55627a"/><circle cx="40" cy="18" r="5" fill="#55627a"/>\
<circle cx="58" cy="18" r="5" fill="#55627a"/>
{chr(10).join(parts)}
</svg>
"""


def main():
    subprocess.run(["cargo", "build", "--quiet"], cwd=REPOSITORY, check=True)
    subprocess.run([REPOSITORY / "target/debug/mcp-deploy", "doctor", "--fix"], check=True, capture_output=True)
    rows = session()
    text = "\n".join("".join(character for character, _ in cells) for cells in rows)
    for project in re.findall(r"/tmp/mcp-deploy-try-\w+", text):
        shutil.rmtree(project, ignore_errors=True)
    for private in (str(REPOSITORY), str(pathlib.Path.home()), os.uname().nodename):
        if private in text:
            sys.exit(f"the session shows `{private}`")
    DRAWING.write_text(drawn(rows))
    print(text)


main()
