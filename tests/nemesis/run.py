"""One run: a log, its processes, a schedule of faults made from a seed, and the judgement."""

import random
import shutil
import subprocess
import time

import cluster
import faults
import processes
from processes import Failure, Process

TICK_SECONDS = 0.05
PROGRESS_SECONDS = 90
END_SECONDS = 60
# Between the end of a writer and the next one, and between two openings.
RESTART_SECONDS = 0.3


class Run:
    def __init__(self, name, seed, directory, writer_options=(), timeout=None, is_quiet=False):
        self.seed, self.is_quiet = seed, is_quiet
        # What depends on the machine's timing must not change the schedule.
        self.random, self.places = random.Random(seed), random.Random(seed)
        self.directory = directory / f"{name}-{seed}"
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        # Short patience gives up in the middle of faults, long patience bears them.
        self.timeout = timeout or self.random.choice((10, 30, 60))
        log = f"nemesis-{name}-{seed}"
        self.address = f"rados://{cluster.POOL}/{log}?conf={cluster.CONFIGURATION}&timeout={self.timeout}"
        self.writer_options = tuple(writer_options)
        self.writers, self.observers = [], []
        self.restarts = True
        self.next_number = 1
        self.fenced = 0
        self.played = {}
        self.counts = {}
        self.began = time.monotonic()
        self.story = open(self.directory / "story.log", "w", encoding="utf-8")
        # Of a run that was ended before it was judged.
        self.program("destroy")

    def say(self, what):
        line = f"{time.monotonic() - self.began:7.2f} s  {what}"
        print(line, file=self.story, flush=True)
        if not self.is_quiet:
            print(line, flush=True)

    # The processes.

    @property
    def newest(self):
        return self.writers[-1]

    def start_writer(self, place=None, options=()):
        place = place or self.places.choice(processes.PLACES)
        number, self.next_number = self.next_number, self.next_number + 1
        writer = Process("write", self.address, self.directory, number, place,
                         ("--seed", self.seed, *self.writer_options, *options))
        self.writers.append(writer)
        self.say(f"writer {number} begins ({place})")
        return writer

    def start_observer(self, place):
        number, self.next_number = self.next_number, self.next_number + 1
        self.observers.append(Process("read", self.address, self.directory, number, place))

    def look(self):
        """Takes in what the processes say; a log without a writer gets one."""
        for writer in self.writers:
            if not writer.is_stopped:
                writer.look()
        newest = self.newest
        is_gone = newest.process.poll() is not None
        if self.restarts and is_gone and time.monotonic() > newest.began + RESTART_SECONDS:
            self.say(f"writer {newest.number} ended with {newest.process.returncode}: {newest.last_words()}")
            self.start_writer()

    def wait(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.look()
            time.sleep(TICK_SECONDS)

    def wait_until(self, is_so, seconds, otherwise):
        deadline = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > deadline:
                raise Failure(f"{otherwise} within {seconds} s")
            self.look()
            time.sleep(TICK_SECONDS)

    def await_owner(self):
        """The newest writer, once it has acknowledged something."""
        self.wait_until(lambda: self.newest.acknowledgements > 0 and self.newest.look(), PROGRESS_SECONDS,
                        "no writer acknowledged anything")
        return self.newest

    def acknowledgements(self):
        return sum(writer.acknowledgements for writer in self.writers)

    def await_progress(self):
        # What was said before does not count.
        self.look()
        before = self.acknowledgements()
        self.wait_until(lambda: self.acknowledgements() > before, PROGRESS_SECONDS,
                        "no append was acknowledged after the faults had ended")

    # The course.

    def begin(self):
        for place in processes.PLACES:
            self.start_observer(place)
        self.start_writer()
        self.await_owner()

    def torment(self, seconds, zombie_seconds):
        deadline = time.monotonic() + seconds
        for kind in faults.deck(self.random):
            length = faults.length_of(self.random, kind, zombie_seconds, seconds / 4)
            other = faults.beside(self.random, kind)
            # Its end and what comes after it take a second or two.
            if time.monotonic() + length + 2 > deadline and faults.stop_writer.__name__ in self.played:
                break
            faults.play(self, [kind, *([other] if other else [])], length)
            self.await_progress()
            self.wait(self.random.uniform(0.5, 2))
        self.wait(deadline - time.monotonic())

    def end(self):
        """All go, and the log is judged. The violations, in lines."""
        self.restarts = False
        wrong = [line for line in (process.end(END_SECONDS) for process in (*self.writers, *self.observers)) if line]
        checked = self.program("check", str(self.directory), "--least-acknowledged", "100")
        (self.directory / "check.log").write_text(checked.stdout + checked.stderr)
        lines = checked.stdout.splitlines()
        for line in lines:
            if line.startswith("counted: nemesis: "):
                what, _, number = line.removeprefix("counted: nemesis: ").partition(": ")
                self.counts[what] = int(number)
        found = [line for line in lines if line.startswith(("violation: ", "too little"))]
        if (checked.returncode != 0) != bool(found):
            raise Failure(f"the check ended with {checked.returncode}: {(checked.stderr or checked.stdout).strip()}")
        return wrong + found

    def program(self, verb, *words):
        return subprocess.run((str(processes.PROGRAM), verb, self.address, *words), capture_output=True, text=True,
                              timeout=600, check=False)

    def clean(self):
        """Removes the log and the histories."""
        self.story.close()
        self.program("destroy")
        shutil.rmtree(self.directory, ignore_errors=True)

    def kill_all(self):
        for process in (*self.writers, *self.observers):
            if process.process.poll() is None:
                process.process.kill()
                process.process.wait()
        self.story.close()
