"""Tasks that are begun again, end when they are asked to, and never in silence."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from streams import tasks
from streams.tasks import Backoff, TaskList, cancel, supervise

LOGGER = "sse.server"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "RESTART_LOW_SECONDS", 0.0)
    monkeypatch.setattr(tasks, "RESTART_HIGH_SECONDS", 0.0)
    monkeypatch.setattr(tasks, "CANCEL_SECONDS", 0.01)


class Runs:
    """A run whose first call ends as told; the second goes on until it is cancelled."""

    def __init__(self, first: Callable[[], Awaitable[None]]) -> None:
        self.calls = 0
        self.again = asyncio.Event()
        self._first = first

    async def __call__(self) -> None:
        self.calls += 1
        if self.calls == 1:
            await self._first()
        else:
            self.again.set()
            await asyncio.Event().wait()


def start(run: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
    return asyncio.create_task(supervise("test", run), name="sse-test")


async def returns() -> None:
    pass


async def raises() -> None:
    raise ValueError("broken")


async def is_cancelled_from_within() -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


@pytest.mark.parametrize(
    ("first", "text", "error"),
    [
        (returns, "The test task returned", None),
        (raises, "The test task died", ValueError),
        (is_cancelled_from_within, "The test task was cancelled from within", asyncio.CancelledError),
    ],
)
async def test_supervise_begins_again(
    first: Callable[[], Awaitable[None]], text: str, error: type | None, caplog: pytest.LogCaptureFixture
):
    run = Runs(first)
    task = start(run)
    await asyncio.wait_for(run.again.wait(), 5)
    await cancel([task])
    assert run.calls == 2
    (record,) = caplog.records
    assert text in record.message
    assert "started again" in record.message
    assert record.levelname == "ERROR"
    assert (record.exc_info[0] if record.exc_info else None) is error


async def test_supervise_ends_when_it_is_cancelled(caplog: pytest.LogCaptureFixture):
    run = Runs(asyncio.Event().wait)  # type: ignore[arg-type]
    task = start(run)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert run.calls == 1
    assert caplog.records == []


async def test_supervise_ends_where_a_run_swallows_its_cancellation():
    async def swallows() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    run = Runs(swallows)
    task = start(run)
    await asyncio.sleep(0)
    await cancel([task])
    assert task.cancelled()


async def test_cancel_waits_for_the_cleaning_up():
    cleaned: list[str] = []

    async def cleans_up() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("done")

    task = asyncio.create_task(cleans_up())
    await asyncio.sleep(0)
    await cancel([task])
    assert cleaned == ["done"]


class Stubborn:
    """A task that swallows so many cancellations; a test that fails lets it go all the same."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.task = asyncio.create_task(self._run(), name="stubborn")

    async def _run(self) -> None:
        while self.times > 0:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.times -= 1

    async def let_go(self) -> None:
        self.times = 0
        self.task.cancel()
        await asyncio.wait([self.task])


async def test_cancel_asks_again():
    stubborn = Stubborn(tasks.CANCEL_TRIES)
    await asyncio.sleep(0)
    try:
        await cancel([stubborn.task])
        assert stubborn.task.done()
        assert stubborn.times == 0
    finally:
        await stubborn.let_go()


async def test_cancel_goes_on_without_a_task_that_does_not_end(caplog: pytest.LogCaptureFixture):
    stubborn = Stubborn(2 * tasks.CANCEL_TRIES)
    await asyncio.sleep(0)
    try:
        await cancel([stubborn.task])
        assert not stubborn.task.done()
        assert "The task stubborn does not end" in caplog.text
    finally:
        await stubborn.let_go()


async def test_cancel_logs_what_a_task_ended_with(caplog: pytest.LogCaptureFixture):
    async def fails() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("broken")

    task = asyncio.create_task(fails(), name="clumsy")
    await asyncio.sleep(0)
    await cancel([task])
    assert "The task clumsy failed" in caplog.text
    assert "ValueError: broken" in caplog.text


async def test_cancel_takes_tasks_that_have_ended_and_none_at_all():
    task = asyncio.create_task(returns())
    await task
    await cancel([task])
    await cancel([])


def running() -> list[str]:
    return sorted(task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("sse-"))


async def waits() -> None:
    await asyncio.Event().wait()


async def test_task_list_starts_each_run_once():
    listed = TaskList({"one": waits, "two": waits})
    assert listed.start()
    assert not listed.start()
    assert running() == ["sse-one", "sse-two"]
    await listed.stop()
    assert running() == []


async def test_task_list_begins_anew_where_one_of_them_has_ended():
    """A supervised task ends only where somebody else cancelled it."""
    runs = {"one": waits}
    listed = TaskList(runs)
    listed.start()
    (task,) = (task for task in asyncio.all_tasks() if task.get_name() == "sse-one")
    await cancel([task])
    runs["late"] = waits
    assert not listed.start(), "it is the same loop"
    assert running() == ["sse-late", "sse-one"]
    await listed.stop()


async def test_task_list_is_not_brought_back_after_its_stop():
    listed = TaskList({"one": waits})
    listed.start()
    await listed.stop()
    assert not listed.start()
    assert running() == []


def test_task_list_starts_on_every_loop():
    listed = TaskList({"one": waits})

    async def start() -> tuple[bool, list[str]]:
        return listed.start(), running()

    for _ in range(2):
        assert asyncio.run(start()) == (True, ["sse-one"])


def test_backoff_doubles_up_to_its_limit(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("random.uniform", lambda _low, high: high)
    backoff = Backoff(0.1, 1.0)
    assert [backoff.next_seconds() for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    backoff.reset()
    assert backoff.next_seconds() == 0.1


def test_backoff_is_drawn_between_half_and_all():
    drawn = []
    for _ in range(200):
        backoff = Backoff(1.0, 1.0)
        drawn.append(backoff.next_seconds())
    assert 0.5 <= min(drawn) < 0.6
    assert 0.9 < max(drawn) <= 1.0


async def test_backoff_pauses_for_what_it_draws(monkeypatch: pytest.MonkeyPatch):
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("asyncio.sleep", sleep)
    backoff = Backoff(0.1, 1.0)
    await backoff.pause()
    await backoff.pause()
    assert 0.05 <= slept[0] <= 0.1
    assert 0.1 <= slept[1] <= 0.2
