"""How far Redis' clock is ahead of this process's, as far as its answers show; pure."""

from __future__ import annotations

# Redis' clock was set anew where it is off by more than this for two reads.
CLOCK_STEP_SECONDS = 1.0
# An answer that is off by more was late, or the clock was set.
CLOCK_OFF_SECONDS = 0.1
# More than two clocks drift apart between two answers.
CLOCK_DRIFT_SECONDS = 0.005


class RedisClock:
    """Redis' wall clock (Unix seconds) beside this process's own (monotonic seconds).

    Call set() with the time that Redis says at a connect, then compare() with that of each answer.
    `asked` and `answered` are this process's moments before and after.
    """

    def __init__(self) -> None:
        # Redis' clock less this process's, never more than that is.
        self.ahead_seconds = 0.0
        # By how much that may be too little: the time that an answer takes.
        self.short_seconds = 0.0
        self._stepped = False

    def set(self, redis_time: float, asked: float, answered: float) -> None:
        """Believe what Redis says, whatever it said before."""
        self.ahead_seconds, self.short_seconds = redis_time - answered, answered - asked

    def compare(self, redis_time: float, asked: float, answered: float) -> None:
        """Take in one more answer: a nearer one counts, and one that is far off only if the next is too."""
        ahead, doubt = redis_time - answered, answered - asked
        if ahead > self.ahead_seconds + self.short_seconds + CLOCK_DRIFT_SECONDS:
            # It was set forward: nothing but this answer knows it.
            self.set(redis_time, asked, answered)
        elif ahead >= self.ahead_seconds:
            # An answer that came late makes it less than it is, never more.
            self.ahead_seconds = ahead
        elif self.is_step(self.ahead_seconds - ahead, asked, answered):
            if self._stepped:
                self.set(redis_time, asked, answered)
            self._stepped = not self._stepped
            return
        self._stepped = False
        self.short_seconds = min(self.short_seconds, doubt)

    def hidden_seconds(self, redis_time: float, asked: float, answered: float) -> float:
        """Return by how much Redis' clock may have been set forward unseen: an answer that is late hides it."""
        if redis_time - answered >= self.ahead_seconds - CLOCK_DRIFT_SECONDS:
            return 0.0
        return max(0.0, redis_time - asked - self.ahead_seconds)

    def behind_seconds(self, redis_time: float, answered: float) -> float:
        """Return by how much an answer was late, or Redis' clock was set back; 0 where that is little."""
        behind = self.ahead_seconds - (redis_time - answered)
        return behind if behind > CLOCK_OFF_SECONDS else 0.0

    def is_step(self, behind_seconds: float, asked: float, answered: float) -> bool:
        """Say whether that is so much that it will be believed, if the next answer says so too."""
        return behind_seconds > CLOCK_STEP_SECONDS + answered - asked
