from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from streams import log_sink
from streams.log_sink import LINE_BYTES, BackgroundHandler, LogSink, dropped_lines, standard_error
from streams.logs import JsonFormatter
from tests.support.waiting import wait_until

LINE = b"x" * (100 - LINE_BYTES - 1) + b"\n"


class Pipe:
    """A pipe that is read when the test says so."""

    def __init__(self) -> None:
        self.reads, self.writes = os.pipe()

    def fill(self) -> None:
        """Leave no room in it, as whoever does not read it for long does."""
        os.set_blocking(self.writes, False)
        try:
            while True:
                os.write(self.writes, b"." * 4096)
        except BlockingIOError:
            os.set_blocking(self.writes, True)

    def read(self, until: bytes) -> bytes:
        """Read up to the end of a text, less what fill() wrote."""
        data = b""
        while not data.endswith(until):
            data += os.read(self.reads, 65536)
        return data.lstrip(b".")


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    os.close(pipe.reads)


def sink_to(pipe: Pipe, lines: int = 10) -> LogSink:
    """Make a sink with room for so many lines."""
    return LogSink(pipe.writes, lambda count: b"%d dropped\n" % count, max_waiting_bytes=lines * 100)


def test_put_has_lines_written_in_their_order(pipe: Pipe):
    sink = sink_to(pipe)
    for number in range(5):
        sink.put(b"%d\n" % number)
    assert pipe.read(b"4\n") == b"0\n1\n2\n3\n4\n"
    assert sink.flush(5)
    assert sink.dropped == 0


def test_put_never_waits_for_a_reader_and_tells_what_it_dropped(pipe: Pipe):
    pipe.fill()
    sink = sink_to(pipe)
    sink.put(b"first\n")
    wait_until("the writer to be in the middle of its write", lambda: sink._writing)
    for _ in range(25):
        sink.put(LINE)
    assert sink.dropped == 15
    assert pipe.read(b"dropped\n") == b"first\n" + 10 * LINE + b"15 dropped\n"
    sink.put(b"after\n")
    assert pipe.read(b"after\n") == b"after\n"


def test_put_gathers_nothing_where_more_waits_than_one_write_takes(pipe: Pipe, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(log_sink, "GATHER_SECONDS", 3600)
    monkeypatch.setattr(log_sink, "WRITE_BYTES", 50)
    pipe.fill()
    sink = sink_to(pipe)
    sink.put(b"0\n")
    wait_until("the writer to be in the middle of its write", lambda: sink._writing)
    for number in range(1, 5):
        sink.put(b"%d\n" % number)
    assert pipe.read(b"4\n") == b"0\n1\n2\n3\n4\n"


def test_put_tells_what_it_dropped_where_it_is_missing(pipe: Pipe):
    pipe.fill()
    sink = sink_to(pipe)
    sink.put(b"first\n")
    wait_until("the writer to be in the middle of its write", lambda: sink._writing)
    for _ in range(11):
        sink.put(LINE)
    sink._waiting_bytes -= 100
    sink.put(b"after\n")
    assert pipe.read(b"after\n") == b"first\n" + 10 * LINE + b"1 dropped\nafter\n"
    assert sink.flush(5)


def test_a_descriptor_that_somebody_made_non_blocking_is_waited_for(pipe: Pipe):
    pipe.fill()
    os.set_blocking(pipe.writes, False)
    sink = sink_to(pipe)
    sink.put(b"line\n")
    assert pipe.read(b"line\n") == b"line\n"


def test_a_reader_that_is_gone_costs_lines_and_nothing_else(pipe: Pipe):
    sink = sink_to(pipe)
    os.close(pipe.reads)
    sink.put(b"line\n")
    wait_until("the line to be dropped", lambda: sink.dropped > 0)
    pipe.reads = os.open(os.devnull, os.O_RDONLY)


def test_flush_waits_no_longer_than_it_is_told(pipe: Pipe):
    pipe.fill()
    sink = sink_to(pipe)
    sink.put(b"line\n")
    assert not sink.flush(0.05)
    pipe.read(b"line\n")
    assert sink.flush(5)


def test_put_writes_by_itself_where_no_thread_can_be_started(pipe: Pipe, monkeypatch: pytest.MonkeyPatch):
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    sink_to(pipe).put(b"line\n")
    assert pipe.read(b"line\n") == b"line\n"


def test_put_may_come_in_the_middle_of_put(pipe: Pipe):
    """As where the garbage collector ends a task that failed unseen, which logs."""
    sink = sink_to(pipe)
    with sink._changed:
        sink.put(b"within\n")
    assert pipe.read(b"within\n") == b"within\n"


def test_a_child_has_a_thread_of_its_own(pipe: Pipe):
    sink = sink_to(pipe)
    sink.put(b"parent\n")
    assert sink.flush(5)
    sink._begin()
    sink.put(b"child\n")
    assert pipe.read(b"child\n") == b"parent\nchild\n"


@pytest.fixture
def handler(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> BackgroundHandler:
    monkeypatch.setattr(log_sink, "standard_error", lambda: pipe.writes)
    handler = BackgroundHandler()
    handler.setFormatter(JsonFormatter("pod-1"))
    return handler


def test_a_handler_tells_of_dropped_lines_in_the_form_of_the_others(handler: BackgroundHandler):
    fields = json.loads(handler._notice(3))
    assert (fields["level"], fields["prefix"], fields["podName"]) == ("warning", "SERVER", "pod-1")
    assert fields["message"].startswith("3 line(s) of this log were dropped")


def test_a_handler_says_why_a_record_cannot_be_formatted(handler: BackgroundHandler, pipe: Pipe):
    handler.handle(logging.LogRecord("sse.redis", logging.INFO, "", 0, "%d", ("word",), None))
    handler.flush()
    assert b"TypeError" in pipe.read(b"\n")


def test_a_handler_writes_what_no_encoding_has(handler: BackgroundHandler, pipe: Pipe):
    handler.setFormatter(None)
    handler.handle(logging.LogRecord("sse.redis", logging.INFO, "", 0, "caf\ud83d", (), None))
    assert pipe.read(b"\n") == b"caf\\ud83d\n"


def test_dropped_lines_are_those_of_the_handlers_in_use(handler: BackgroundHandler):
    root = logging.getLogger()
    before = dropped_lines()
    root.addHandler(handler)
    try:
        assert handler._sink is not None
        handler._sink.dropped += 2
        assert dropped_lines() == before + 2
    finally:
        root.removeHandler(handler)


def test_a_process_without_standard_error_writes_nowhere(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert standard_error() is None
    handler = BackgroundHandler()
    handler.handle(logging.LogRecord("sse.redis", logging.INFO, "", 0, "line", (), None))
    handler.flush()
    assert handler.dropped == 0


PROGRAM = """
import logging
from streams.log_sink import BackgroundHandler
logging.basicConfig(handlers=[BackgroundHandler()], level="INFO", format="%(message)s")
for number in range(1000):
    logging.info("line %d", number)
{end}
"""


@pytest.mark.parametrize(("end", "status"), [("", 0), ("raise ValueError('broken')", 1), ("raise SystemExit(3)", 3)])
def test_the_last_lines_come_out_at_the_end_of_a_process(end: str, status: int):
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(end=end)], capture_output=True, text=True, timeout=30, check=False
    )
    assert finished.returncode == status
    assert [line for line in finished.stderr.splitlines() if line.startswith("line ")] == [
        f"line {number}" for number in range(1000)
    ]
    assert ("ValueError: broken" in finished.stderr) == (status == 1)
