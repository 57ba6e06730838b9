"""What is compared, built: our command and the drivers of the peers.

A peer that cannot be built is no error: it is absent, with the reason, and the report says so.
"""

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DRIVERS = ROOT / "bench/peers"
BUILD = ROOT / "build/peers"
LOGS = ROOT / "build/logs"

OURS = "WriteAhead"
CPP = ("rocksdb", "leveldb", "lmdb", "sqlite")
RUST = ("writeahead", "wal-db", "open-wal", "okaywal", "raft-engine", "walrus-rust")
GO = ("tidwall-wal", "hashicorp-raft-wal", "etcd-wal")

# Cargo's editions say what they need where rust-version does not.
EDITIONS = {"2018": "1.31", "2021": "1.56", "2024": "1.85"}


@dataclasses.dataclass(frozen=True)
class System:
    """Something that runs scenarios: the command, to which directory and scenario are added."""

    name: str
    command: tuple
    flags: tuple = ()

    def call(self, directory, scenario, *more):
        return [*self.command, str(directory), scenario, *self.flags, *more]


@dataclasses.dataclass(frozen=True)
class Absent:
    name: str
    reason: str


class BuildError(Exception):
    pass


def run(what, *command, cwd=ROOT, env=None):
    """Runs a step of the build; its output goes to a log, whose end is shown if it fails."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"bench-{what.replace(' ', '-')}.log"
    print(f"{what} ...", flush=True)
    with log.open("w") as output:
        status = subprocess.run(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output,
                                stderr=subprocess.STDOUT, check=False).returncode
    if status:
        raise BuildError(f"{what} failed: {first_error(log.read_text(errors='replace'))} "
                         f"({log.relative_to(ROOT)})")


def first_error(text):
    """The line of a build's output that says best what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # A file that is called error.cc is none.
    wrong = [line for line in lines if re.search(r"\berror\b(?!\.)|^E: |No such file|cannot find", line)]
    return (wrong or lines or ["no output"])[0 if wrong else -1]


def build_ours():
    run("install", "scripts/install", "--build")
    cache = ROOT / "build/release/CMakeCache.txt"
    # Without the tests, which need more packages; but a build tree that has them stays as it is.
    if not (cache.is_file() and re.search(r"^WRITEAHEAD_DEVELOPER:.*=ON$", cache.read_text(), re.M)):
        run("configure wal", "cmake", "--preset", "release", "-DWRITEAHEAD_DEVELOPER=OFF")
    run("build wal", "cmake", "--build", "--preset", "release", "--target", "wal")
    return System(OURS, (str(ROOT / "build/release/bin/wal"), "bench"), ("--json", "--rounds", "1"))


def build_index():
    """The programs that print the figures of the index library, which are of a developer's build."""
    run("install all", "scripts/install")
    run("configure index", "cmake", "--preset", "release", "-DWRITEAHEAD_DEVELOPER=ON")
    names = ("index_figures", "example_rocksdb_front")
    run("build index", "cmake", "--build", "--preset", "release", "--target", *names)
    return [ROOT / "build/release/bin" / name for name in names]


def build_cpp():
    try:
        run("install peers", "scripts/install", "--peers")
    except BuildError as failure:
        # What is there already is built; what is not is absent.
        print(failure)
    try:
        run("configure cpp", "cmake", "-G", "Ninja", "-S", DRIVERS / "cpp", "-B", BUILD / "cpp")
    except BuildError as failure:
        return [Absent(name, str(failure)) for name in CPP]
    built = []
    for name in CPP:
        try:
            run(f"build {name}", "cmake", "--build", BUILD / "cpp", "--target", f"peer_{name}")
            built.append(System(name, (str(BUILD / "cpp" / f"peer_{name}"),)))
        except BuildError as failure:
            built.append(Absent(name, str(failure)))
    return built


def build_rust():
    manifest = DRIVERS / "rust/Cargo.toml"
    return build_project(
        manifest, RUST, BUILD / "rust/release/peer_rust",
        lambda: ("rust", toolchain("cargo", "~/.cargo/bin", "cargo", rust_needed(manifest.read_text())),
                 "build", "--release", "--locked", "--manifest-path", manifest, "--target-dir", BUILD / "rust"))


def build_go():
    manifest = DRIVERS / "go/go.mod"
    return build_project(
        manifest, GO, BUILD / "go/peer_go",
        lambda: ("go", toolchain("go", "/usr/local/go/bin", "golang-go", go_needed(manifest.read_text())),
                 "build", "-o", BUILD / "go/peer_go", "."))


def build_project(manifest, names, binary, command):
    """A project whose one program has several peers, which it lists itself."""
    try:
        if not manifest.is_file():
            raise BuildError(f"{manifest.relative_to(ROOT)} is not there")
        what, program, *arguments = command()
        # A compiler is looked for beside the program that calls it.
        path = os.pathsep.join([str(pathlib.Path(program).parent), os.environ.get("PATH", "")])
        run(f"build {what}", program, *arguments, cwd=manifest.parent, env={**os.environ, "PATH": path})
        listed = subprocess.run([binary, "--list"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    except (BuildError, OSError, subprocess.CalledProcessError) as failure:
        return [Absent(name, str(failure)) for name in names]
    return [System(name, (str(binary), name)) for name in listed]


def toolchain(program, usual_place, package, needed):
    """The path of a compiler: the machine's own, or Debian's if that is recent enough."""
    path = os.pathsep.join([os.environ.get("PATH", ""), os.path.expanduser(usual_place)])
    found = shutil.which(program, path=path)
    if found:
        return found
    policy = subprocess.run(["apt-cache", "policy", package], check=False, stdout=subprocess.PIPE, text=True).stdout
    offered = debian_version(policy)
    if offered is None or version(offered) < version(needed):
        raise BuildError(f"{program} is not there, and Debian's is {offered or 'not there either'}; "
                         f"{needed} is needed")
    run(f"install {package}", "apt-get", "install", "-y", "-qq", "--no-install-recommends", package)
    return shutil.which(program) or program


def debian_version(policy):
    """The upstream version that apt would install: of `2:1.19~1` it is 1.19."""
    match = re.search(r"^\s*Candidate: (?:\d+:)?(\d+(?:\.\d+)*)", policy, re.M)
    return match and match[1]


def version(text):
    return tuple(int(part) for part in text.split("."))


def rust_needed(manifest):
    stated = re.search(r'^rust-version\s*=\s*"([\d.]+)"', manifest, re.M)
    edition = re.search(r'^edition\s*=\s*"(\d+)"', manifest, re.M)
    return stated[1] if stated else EDITIONS.get(edition[1] if edition else "", "1.85")


def go_needed(manifest):
    stated = re.search(r"^go ([\d.]+)", manifest, re.M)
    return stated[1] if stated else "1.21"


def build_all():
    """Ours, then the peers, each a System or Absent."""
    return [build_ours(), *build_cpp(), *build_rust(), *build_go()]
