"""A writer that appends one record after the other, and what became of its appends."""

import bisect
import subprocess
import time

from figures import Unmeasured

# What goes on for so long without a longer break than this is over the fault.
STEADY_SECONDS, BREAK_SECONDS = 2, 0.5
# A writer that is not told after so long will not be.
PATIENCE_SECONDS = 90
STOP_SECONDS = 90


class Writer:
    def __init__(self, command, directory):
        self.output, self.errors = directory / "acknowledged", directory / "complaints"
        with self.output.open("wb") as output, self.errors.open("wb") as errors:
            self.acknowledged, self.read_bytes = [], 0
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)

    def times(self):
        """Of all acknowledgements until now."""
        with self.output.open("rb") as output:
            output.seek(self.read_bytes)
            # The last line may be on its way.
            told = output.read().rpartition(b"\n")[0]
        if told:
            self.read_bytes += len(told) + 1
            self.acknowledged += [float(line) for line in told.split(b"\n")]
        return self.acknowledged

    def settle(self, begin, seconds):
        """Waits until so long after `begin`, and until records are acknowledged one after the other again."""
        while True:
            now = time.monotonic()
            if self.process.poll() is not None:
                raise Unmeasured(f"the writer ended: {self.errors.read_text().strip()}")
            if now >= begin + seconds and self.is_steady(max(begin, now - STEADY_SECONDS), now):
                return
            if now > begin + seconds + PATIENCE_SECONDS:
                raise Unmeasured(f"nothing was acknowledged for {PATIENCE_SECONDS} s")
            time.sleep(0.1)

    def is_steady(self, begin, now):
        times = self.times()
        times = [begin, *times[bisect.bisect_right(times, begin):], now]
        return len(times) > 2 and max(b - a for a, b in zip(times, times[1:])) < BREAK_SECONDS

    def stop(self):
        self.process.terminate()
        if self.process.wait(STOP_SECONDS) != 0:
            raise Unmeasured(f"the writer failed: {self.errors.read_text().strip()}")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
