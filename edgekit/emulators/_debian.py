"""Debian packages of another architecture, fetched and unpacked by any user, apart from the host's own apt.

No maintainer script runs and nothing is emulated: `dpkg-deb` only unpacks.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from edgekit.core.errors import DeadlineError, NetworkError, StorageError
from edgekit.core.files import write_atomically
from edgekit.emulators._commands import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MIRROR_VARIABLE = "EDGEKIT_DEBIAN_MIRROR"
_TIMEOUT_S = 300
_OFFLINE = "check the network: the operating system of the emulated device is fetched once from Debian's archive"
# Documentation and translations are half of a small system.
_LEFT_OUT = tuple(f"--exclude=./usr/share/{name}/*" for name in ("man", "doc", "locale", "info", "lintian"))

_CONFIGURATION = """\
APT::Architecture "{arch}";
APT::Architectures {{ "{arch}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
Acquire::Retries "3";
Dir::State "{folder}/";
Dir::State::lists "{folder}/lists/";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Etc "{folder}/etc/";
Dir::Etc::main "-";
Dir::Etc::parts "-";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferencesparts "-";
Dir::Log "{folder}/";
"""


@dataclass(frozen=True, kw_only=True)
class DebianArchive:
    """The packages of one suite and architecture.

    Attributes:
        folder: holds the package lists; made when needed.
        suite: e.g. "bookworm".
        arch: Debian's name, e.g. "arm64".
    """

    folder: Path
    suite: str
    arch: str

    def download(self, names: Iterable[str], *, into: Path, with_dependencies: bool) -> list[Path]:
        """Fetch packages, checked against Debian's signatures.

        Args:
            names: package names or apt patterns such as "?essential".
            into: an existing folder; gets the files.
            with_dependencies: also everything that they depend on.

        Returns:
            All .deb files of the folder, sorted.

        Raises:
            NetworkError: the archive cannot be reached, or has no such package.
            DeadlineError: it took longer than five minutes.
        """
        verb = ["install", "--yes", "--download-only"] if with_dependencies else ["download"]
        (into / "partial").mkdir(exist_ok=True)
        with FileLock(self._ready() / "lock", timeout=2 * _TIMEOUT_S):
            self._apt("apt-get", "-o", f"Dir::Cache::archives={into}/", *verb, *names, cwd=into)
        (into / "partial").rmdir()
        return sorted(into.glob("*.deb"))

    def dependency(self, name: str, *, prefix: str) -> str:
        """The first direct dependency of a package whose name starts with the prefix.

        Raises:
            NetworkError: the archive has none.
        """
        with FileLock(self._ready() / "lock", timeout=2 * _TIMEOUT_S):
            listing = self._apt("apt-cache", "depends", "--important", name)
        for line in listing.splitlines():
            kind, _, dependency = line.strip().partition(": ")
            if kind == "Depends" and dependency.startswith(prefix):
                return dependency
        raise NetworkError(
            f"{name} of {self.suite} depends on no {prefix}*", hint="try again: the archive may be changing"
        )

    def _ready(self) -> Path:
        for name in ("lists/partial", "etc"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        return self.folder

    def _apt(self, program: str, *arguments: str, cwd: Path | None = None) -> str:
        env = {"APT_CONFIG": str(self.folder / "apt.conf")}
        self._update(env)
        return run([program, *arguments], timeout_s=_TIMEOUT_S, env=env, cwd=cwd, error=NetworkError, hint=_OFFLINE)

    def _update(self, env: Mapping[str, str]) -> None:
        """Fetch fresh lists: those of last month name files that the archive has replaced.

        The lists of the security archive do not fit together while a mirror is copied, for hours at times; then the
        device gets the packages of the last point release.
        """
        main, security = mirrors()
        try:
            self._configure(main, security)
            run(["apt-get", "update"], timeout_s=_TIMEOUT_S, env=env, error=NetworkError, hint=_OFFLINE)
        except NetworkError:
            if security is None:
                raise
            self._configure(main, None)
            run(["apt-get", "update"], timeout_s=_TIMEOUT_S, env=env, error=NetworkError, hint=_OFFLINE)

    def _configure(self, main: str, security: str | None) -> None:
        signed = f"deb [signed-by={KEYRING}]"
        sources = f"{signed} {main} {self.suite} main\n"
        if security is not None:
            sources += f"{signed} {security} {self.suite}-security main\n"
        write_atomically(self.folder / "sources.list", sources.encode())
        write_atomically(self.folder / "status", b"")
        text = _CONFIGURATION.format(arch=self.arch, folder=self.folder)
        write_atomically(self.folder / "apt.conf", text.encode())


def mirrors() -> tuple[str, str | None]:
    """Addresses of Debian's main archive and of its security archive (None if it is not known).

    They are those that this computer's own apt uses; $EDGEKIT_DEBIAN_MIRROR names the main one where apt has none.

    Raises:
        NetworkError: neither knows Debian's archive.
    """
    listing = run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"], timeout_s=_TIMEOUT_S)
    known = sorted({line.strip().rstrip("/") for line in listing.splitlines()})
    main = os.environ.get(MIRROR_VARIABLE) or next((uri for uri in known if uri.endswith("/debian")), None)
    if main is None:
        raise NetworkError(
            "this computer's apt knows no archive of Debian", hint=f"set {MIRROR_VARIABLE} to the address of a mirror"
        )
    return main.rstrip("/"), next((uri for uri in known if uri.endswith("/debian-security")), None)


def unpack(package: Path, root: Path, *, members: Iterable[str] = ()) -> None:
    """Unpack a package's files over a root tree, through the links of a merged /usr.

    `dpkg-deb --extract` would put folders in place of those links, hence tar.

    Args:
        package: the .deb file.
        root: an existing folder.
        members: only these files, e.g. "./usr/lib/libm.so"; none means all.

    Raises:
        StorageError: the package is damaged or the disk is full.
        DeadlineError: it took longer than five minutes.
    """
    reader = ["dpkg-deb", "--fsys-tarfile", str(package)]
    writer = ["tar", "--extract", "--preserve-permissions", "--keep-directory-symlink", "--directory", str(root)]
    with (
        subprocess.Popen(reader, stdout=subprocess.PIPE) as source,
        subprocess.Popen([*writer, *_LEFT_OUT, *members], stdin=source.stdout, stderr=subprocess.PIPE) as sink,
    ):
        if source.stdout is not None:
            source.stdout.close()
        try:
            _, said = sink.communicate(timeout=_TIMEOUT_S)
            failed = sink.returncode or source.wait(timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired as cause:
            source.kill()
            sink.kill()
            raise DeadlineError(f"unpacking {package.name} took longer than {_TIMEOUT_S} s") from cause
    if failed:
        raise StorageError(f"cannot unpack {package.name}: {said.decode(errors='replace').strip()[-300:]}")
