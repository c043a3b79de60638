from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from edgekit.core.errors import StorageError
from edgekit.emulators._device_files import DeviceFile
from edgekit.emulators._disk import CONFIG_BYTES, write_config_disk


def test_config_disk_is_a_tar_archive_of_a_fixed_size_for_its_owner_only(tmp_path: Path) -> None:
    disk = tmp_path / "config.img"

    write_config_disk(disk, [DeviceFile(path="etc/secret", data=b"key", mode=0o600)])

    assert disk.stat().st_size == CONFIG_BYTES
    assert disk.stat().st_mode & 0o777 == 0o600
    with tarfile.open(disk) as archive:
        (member,) = archive.getmembers()
        content = archive.extractfile(member)
        assert content is not None
        assert (member.name, member.mode, member.uid, content.read()) == ("etc/secret", 0o600, 0, b"key")


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        write_config_disk(tmp_path / "config.img", [DeviceFile(path="big", data=bytes(CONFIG_BYTES))])
