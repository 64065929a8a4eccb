"""The image of a home on this machine's own loop devices: one filesystem however often it is opened, and none left."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fixtures_sandbox import REPOSITORY, without_root

from policies.errors import SandboxError
from sandbox import quota

SIZE = 64 * 1024**2
UID = 1_900_000_000

pytestmark = pytest.mark.skipif(quota.missing() is not None, reason=f"homes have no size here: {quota.missing()}")


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "ada"
    quota.make(path, SIZE, UID)
    return path


def devices(image):
    """The loop devices that have this image."""
    told = [path.read_text().strip() for path in Path("/sys/block").glob("loop*/loop/backing_file")]
    return [name for name in told if name == str(image)]


def test_an_image_holds_one_empty_folder_of_its_owners(image):
    with quota.opened(image) as root:
        home = root / quota.FOLDER
        state = home.stat()
        assert (list(home.iterdir()), state.st_uid, state.st_gid, state.st_mode & 0o777) == ([], UID, UID, 0o700)
    assert (image.stat().st_uid, image.stat().st_mode & 0o777) == (UID, 0o600)


def test_an_image_takes_the_disk_only_as_it_is_filled(image):
    def taken():
        return image.stat().st_blocks * 512

    assert taken() < SIZE / 4
    with quota.opened(image) as root:
        (root / "big").write_bytes(os.urandom(30_000_000))
        quota.sync(root)
        assert taken() > 30_000_000


def test_an_image_that_is_opened_twice_is_one_filesystem_on_one_device(image):
    with quota.opened(image) as one, quota.opened(image) as two:
        (one / "file").write_text("seen")
        assert (two / "file").read_text() == "seen"
        assert one.stat().st_dev == two.stat().st_dev
        assert len(devices(image)) == 1


def test_an_open_image_stands_in_no_table_of_mounts_and_its_device_goes_when_it_is_closed(image):
    with quota.opened(image):
        assert len(devices(image)) == 1
        assert "/home" not in {line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()}
        assert str(image.parent) not in Path("/proc/self/mounts").read_text()
    assert devices(image) == []


def test_an_image_is_let_go_when_whoever_has_it_open_is_killed(image):
    script = (
        "import pathlib, signal, sys\nfrom sandbox import quota\n"
        "with quota.opened(pathlib.Path(sys.argv[1])) as root:\n"
        "    (root / 'file').write_text('kept'); quota.sync(root); print('open', flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(image)], cwd=REPOSITORY, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"open\n"
        assert len(devices(image)) == 1
        holder.send_signal(signal.SIGKILL)
    assert devices(image) == []
    with quota.opened(image) as root:
        assert (root / "file").read_text() == "kept"


def test_an_image_as_a_power_cut_leaves_it_is_put_in_order_and_what_was_on_disk_is_there(image, tmp_path):
    with quota.opened(image) as root:
        (root / "file").write_text("on disk")
        quota.sync(root)
        (root / "later").write_bytes(os.urandom(5_000_000))
        cut = tmp_path / "cut"
        cut.write_bytes(image.read_bytes())
    with quota.opened(cut) as root:
        assert (root / "file").read_text() == "on disk"
    checked = subprocess.run(["/usr/sbin/e2fsck", "-fn", str(cut)], check=False, capture_output=True)
    assert checked.returncode == 0, checked.stdout


def test_usage_is_what_the_filesystem_itself_says(image):
    with quota.opened(image) as root:
        (root / "file").write_bytes(bytes(10_000_000))
        quota.sync(root)
        told = quota.usage_at(root)
    assert 10_000_000 < told.used < 12_000_000
    assert abs(quota.usage(image).used - told.used) < 2**21  # the kernel keeps some blocks to itself
    assert (quota.usage(image).size, quota.usage(image).inodes) == (told.size, told.inodes)
    assert not told.full


def test_a_file_that_is_no_filesystem_is_named(image):
    image.write_bytes(bytes(SIZE))
    with pytest.raises(SandboxError, match=r"ada: is no ext4 filesystem"):
        quota.usage(image)
    with pytest.raises(SandboxError, match=r"ada: the home is damaged .*e2fsck -f"), quota.opened(image):
        pass
    assert devices(image) == []


def test_without_root_it_is_said_that_only_root_mounts():
    assert without_root(quota.missing) == "only root mounts a filesystem"


def test_without_the_programs_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setattr(quota, "_SBIN", "/nowhere")
    assert quota.missing() == "mkfs.ext4 and e2fsck not found: apt install e2fsprogs"


def test_without_loop_devices_it_is_said_which_is_missing(monkeypatch):
    monkeypatch.setattr("sandbox.loop._CONTROL", Path("/dev/no-loop-control"))
    assert quota.missing() == "/dev/no-loop-control: No such file or directory"
