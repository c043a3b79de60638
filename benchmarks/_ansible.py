"""Ansible in an environment of its own, and its copy module over the hosts of a benchmark."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks._devices_by_address import Site
from benchmarks._folders import ROOT
from benchmarks._missing import CannotRun
from benchmarks._runs import Run, timed

VERSION = "2.19.14"
_FOLDER = ROOT / "build" / "bench" / f"ansible-core-{VERSION}"
_INSTALL_S = 600.0


def ansible() -> Path:
    """The program `ansible`; installed from PyPI at the first use, then kept in build/.

    Raises:
        CannotRun: it cannot be installed.
    """
    made = _FOLDER / "bin" / "ansible"
    if made.exists():
        return made
    commands = [
        [sys.executable, "-m", "venv", str(_FOLDER)],
        [str(_FOLDER / "bin" / "pip"), "install", "--quiet", f"ansible-core=={VERSION}"],
    ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
        if done.returncode:
            raise CannotRun(f"ansible-core {VERSION} cannot be installed: {done.stderr.strip()[-300:]}")
    return made


def inventory(site: Site, folder: Path) -> Path:
    """Ansible's inventory of the devices, with the Python that edgekit's agent uses too."""
    path = folder / "hosts.ini"
    options = f"-F none -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile={site.known_hosts}"
    shared = {
        "ansible_user": site.user,
        "ansible_port": str(site.port),
        "ansible_ssh_private_key_file": str(site.identity_file),
        "ansible_python_interpreter": sys.executable,
        "ansible_ssh_common_args": f"'{options}'",
    }
    lines = [
        f"device-{number:03} ansible_host={address} copied_to={root}/copied"
        for number, (address, root) in enumerate(zip(site.addresses, site.roots, strict=True))
    ]
    text = "\n".join(["[bench]", *lines, "", "[bench:vars]", *(f"{key}={value}" for key, value in shared.items()), ""])
    path.write_text(text, encoding="utf-8")
    return path


def copied(site: Site, folder: Path, source: Path, parallel: int) -> Run:
    """Copy a file to every device by `ansible -m copy`, with Ansible's own defaults but for the parallelism."""
    hosts = inventory(site, folder)
    sockets, settings = folder / f"cp-{source.name[:8]}", folder / "ansible.cfg"
    sockets.mkdir()
    settings.touch()
    before = dict(os.environ)
    os.environ |= {
        "ANSIBLE_CONFIG": str(settings),
        "ANSIBLE_LOCAL_TEMP": str(folder / "ansible-tmp"),
        "ANSIBLE_REMOTE_TEMP": str(folder / "ansible-remote"),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(sockets),  # a new one each time: no connection of the last run is left
        "ANSIBLE_HOME": str(folder / "ansible-home"),
    }
    try:
        done = timed(
            [
                *(ansible(), "bench", "-i", hosts, "-f", str(parallel)),
                *("-m", "copy", "-a", f"src={source} dest={{{{ copied_to }}}}"),
            ]
        )
    finally:
        os.environ.clear()
        os.environ.update(before)
    for root in site.roots:
        if (root / "copied").read_bytes() != source.read_bytes():
            raise RuntimeError(f"Ansible did not copy to {root}")
    return done
