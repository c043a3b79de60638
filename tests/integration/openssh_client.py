"""OpenSSH's own client on an emulated device, so that not only our transports say that it answers."""

from __future__ import annotations

import subprocess

from edgekit.emulators import EmulatedDevice


def ssh(device: EmulatedDevice, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command by OpenSSH's client, which accepts exactly this device's host key."""
    known_hosts = device.identity_file.with_name("known_hosts")
    known_hosts.write_text(f"[127.0.0.1]:{device.port} {device.host_key}\n")
    options = ["StrictHostKeyChecking=yes", f"UserKnownHostsFile={known_hosts}", "IdentitiesOnly=yes", "BatchMode=yes"]
    return subprocess.run(
        [
            *("ssh", "-F", "none", "-T", "-p", str(device.port), "-i", str(device.identity_file)),
            *(f"-o{option}" for option in options),
            *("root@127.0.0.1", command),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def said(device: EmulatedDevice, command: str) -> str:
    """What a command that must succeed wrote."""
    done = ssh(device, command)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
