"""The machine, the disk and the commit that figures belong to."""

import datetime
import os
import pathlib
import platform
import re
import subprocess

from systems import ROOT

IN_MEMORY = ("tmpfs", "ramfs", "devtmpfs", "hugetlbfs")


def output(*command):
    """What a command prints, or nothing if it fails."""
    try:
        return subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def file_system(directory):
    """Type, source and options of what the directory lies on."""
    found = output("findmnt", "-no", "FSTYPE,SOURCE,OPTIONS", "-T", str(directory)).split(None, 2)
    return dict(zip(("type", "source", "options"), found + ["unknown"] * 3))


def is_in_memory(directory):
    return file_system(directory)["type"] in IN_MEMORY


def device(source):
    """Model, size and write cache of a block device, as far as the kernel says so."""
    disk = output("lsblk", "-ndo", "PKNAME", source).split("\n")[0] or pathlib.Path(source).name
    told = output("lsblk", "-ndo", "SIZE,MODEL", f"/dev/{disk}").split(None, 1)
    parts = [source, *reversed(told)]
    cache = pathlib.Path("/sys/block", disk, "queue/write_cache")
    if cache.is_file():
        parts.append(f"write cache: {cache.read_text().strip()}")
    return ", ".join(parts)


def processor():
    found = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return found[1] if found else platform.processor() or platform.machine()


def commit():
    changed = output("git", "status", "--porcelain", "--untracked-files=no", ".", ":!docs")
    return (output("git", "rev-parse", "--short", "HEAD") or "unknown") + (", changed" if changed else "")


def describe(directory):
    mounted = file_system(directory)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "file_system": f"{mounted['type']} ({mounted['options']})",
        "device": device(mounted["source"]),
        "load_before": round(os.getloadavg()[0], 1),
    }
