#!/usr/bin/env python3
"""Goal: the backup of docs/operations.md is one: what was durable when it began opens and verifies.

Method: the document's block of bash is run again and again beside a writer that rotates all the time.
Each backup has to verify, to hold the writer's records from the first on, and all that had been
acknowledged when it began, and has to open for writing. The log has to be sound afterwards, too.

    backup_test.py WAL    the path of the command
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BACKUPS = 5
RECORDS_BETWEEN = 40


def payload(number):
    return f"record {number} " + "x" * (number * 37 % 900)


class Writer:
    """`wal append`, fed by this process: one acknowledgement a record."""

    def __init__(self, wal, log):
        self.process = subprocess.Popen(
            [wal, "append", log, "--segment-bytes", "8K", "--print-lsn"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.submitted = 0

    def submit(self, count):
        for _ in range(count):
            self.process.stdin.write(payload(self.submitted) + "\n")
            self.submitted += 1
        self.process.stdin.flush()

    def await_acknowledgements(self, count):
        for _ in range(count):
            assert self.process.stdout.readline().strip().isdigit(), "the writer ended"

    def close(self):
        self.process.stdin.close()
        assert self.process.wait() == 0, "the writer failed"


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def check_backup(wal, copy, acknowledged):
    run(wal, "verify", copy)
    records = run(wal, "cat", copy).splitlines()
    assert len(records) >= acknowledged, f"{len(records)} of {acknowledged} acknowledged records"
    for number, record in enumerate(records):
        assert record == payload(number), f"record {number} is another one"
    subprocess.run([wal, "append", copy], input="one more\n", check=True, text=True)
    assert run(wal, "cat", copy, "--last", "1") == "one more\n"


def main():
    wal = sys.argv[1]
    text = (ROOT / "docs/operations.md").read_text()
    blocks = re.findall(r"^```bash\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 1, "docs/operations.md: expected one block of bash"
    environment = {**os.environ, "PATH": f"{os.path.dirname(wal)}:{os.environ['PATH']}"}
    # On a disk and not on a tmpfs, which refuses direct access.
    with tempfile.TemporaryDirectory(dir=os.getcwd()) as scratch:
        log = os.path.join(scratch, "log")
        writer = Writer(wal, log)
        for number in range(BACKUPS):
            writer.submit(RECORDS_BETWEEN)
            writer.await_acknowledgements(RECORDS_BETWEEN)
            acknowledged = writer.submitted
            # These are appended while the backup is made.
            writer.submit(RECORDS_BETWEEN)
            copy = os.path.join(scratch, f"copy{number}")
            subprocess.run(["bash", "-euc", blocks[0] + '\nbackup "$1" "$2"', "backup", log, copy],
                           check=True, env=environment)
            check_backup(wal, copy, acknowledged)
            writer.await_acknowledgements(RECORDS_BETWEEN)
        writer.close()
        run(wal, "verify", log)
        assert len(run(wal, "cat", log).splitlines()) == writer.submitted
        print(f"{BACKUPS} backups beside a writer of {writer.submitted} records")


if __name__ == "__main__":
    main()
