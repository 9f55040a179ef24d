import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import AnyecgError, InputError, InputUnreadable, InputUnsupported
from edge.formats.sniff import open_file

CSV = "# fs_hz: 250\ntime_s,II_mV\n" + "".join(f"{k / 250:.3f},{k % 7}\n" for k in range(500))

STARTS = [b"", b"0       ", b"\xffBIOSEMI", b"a 1 250 100\n", b"# fs_hz: 250\nII_mV\n", b"time_s,II_mV\n"]


@pytest.mark.data
@pytest.mark.parametrize("name", ["mitdb/101", "mitdb/101.hea", "mitdb/101.dat", "mitdb/101.atr", "ludb/data/1.avf"])
def test_any_file_of_a_record_opens_the_record(data, name):
    info = open_file(data / name).info
    assert info.id == name.split("/")[-1].split(".")[0]
    assert info.source == "wfdb"


@pytest.mark.data
def test_content_counts_and_not_the_name(data, tmp_path):
    shutil.copy(data / "wfdb-samples/test_generator_2.edf", tmp_path / "signal.csv")
    assert open_file(tmp_path / "signal.csv").info.source == "edf"
    (tmp_path / "table.edf").write_text(CSV)
    assert open_file(tmp_path / "table.edf").info.source == "csv"


def test_table_beside_a_record_is_the_table(tmp_path):
    (tmp_path / "a.hea").write_text("a 1 250 500\na.dat 16 200/mV 16 0 0 0 0 II\n")
    (tmp_path / "a.dat").write_bytes(bytes(1000))
    (tmp_path / "a.csv").write_text(CSV)
    (tmp_path / "a.csv.hea").touch()
    assert open_file(tmp_path / "a.csv").info.source == "csv"
    assert open_file(tmp_path / "a").info.source == "wfdb"


def test_folder_named_like_a_record_does_not_hide_it(tmp_path):
    (tmp_path / "a.hea").write_text("a 1 250 500\na.dat 16 200/mV 16 0 0 0 0 II\n")
    (tmp_path / "a.dat").write_bytes(bytes(1000))
    (tmp_path / "a").mkdir()
    assert open_file(tmp_path / "a").info.source == "wfdb"


def test_relative_path_stays_valid_when_the_folder_is_left(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text(CSV)
    monkeypatch.chdir(tmp_path)
    recording = open_file(Path("a.csv"))
    monkeypatch.chdir("/")
    assert recording.read_mv(0, 10).shape == (10, 1)


def test_header_by_another_name_is_told_to_be_renamed(tmp_path):
    (tmp_path / "a.txt").write_text("a 1 250 500\na.dat 16 200/mV 16 0 0 0 0 II\n")
    with pytest.raises(InputUnsupported, match=r"name that ends in \.hea"):
        open_file(tmp_path / "a.txt")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputUnreadable, match=r"ecg\.edf does not exist"):
        open_file(tmp_path / "ecg.edf")


def test_empty_file_is_unreadable(tmp_path):
    (tmp_path / "a.edf").touch()
    with pytest.raises(InputUnreadable, match=r"a\.edf is empty"):
        open_file(tmp_path / "a.edf")


@pytest.mark.parametrize("folder", ["", ".", "/"])
def test_folder_is_unsupported(folder):
    with pytest.raises(InputUnsupported, match="is a folder"):
        open_file(Path(folder))


def test_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputUnsupported, match="not an ordinary file"):
        open_file(tmp_path / "pipe")


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n\0\0",
        b"Dear reader,\nthis is prose.\n",
        b"<xml/>",
        b"[1, 2, 3]",
        b"\n\n\n",
        b"MATLAB 5.0\0",
    ],
)
def test_other_kinds_of_file_are_unsupported(tmp_path, content):
    (tmp_path / "a.bin").write_bytes(content)
    with pytest.raises(InputUnsupported, match=r"a\.bin is no recording.*Give a WFDB record"):
        open_file(tmp_path / "a.bin")


def test_path_that_no_system_takes_is_an_input_error():
    with pytest.raises(InputError):
        open_file(Path("a\0b"))


@pytest.mark.data
def test_answers_of_a_question_set_are_no_recording(data):
    with pytest.raises(InputUnsupported):
        open_file(data / "ecgqa/questions.csv")


@settings(max_examples=200, deadline=None)
@given(start=st.sampled_from(STARTS), rest=st.binary())
@pytest.mark.parametrize("name", ["a.hea", "a.csv", "a.dat"])
def test_random_bytes_raise_nothing_but_errors_of_this_package(tmp_path_factory, name, start, rest):
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(start + rest)
    try:
        with suppress(AnyecgError):
            open_file(path).read_mv(0, 100)
    finally:
        path.unlink()


@pytest.mark.parametrize("name", ["none.edf", "."])
def test_errors_are_one_line(tmp_path, name):
    with pytest.raises(InputError) as caught:
        open_file(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_readers_cost_nothing_until_a_file_needs_them():
    code = "import sys, edge.formats.sniff; sys.exit(len({'wfdb', 'pandas', 'edfio'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
