import shutil
from contextlib import suppress
from datetime import date, datetime
from datetime import time as clock
from itertools import pairwise
from pathlib import Path

import edfio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from record_tools import whole

from edge.errors import AnyecgError, InputUnreadable, InputUnsupported
from edge.formats.sniff import open_file
from edge.types import Gap, Window, pieces

FS_HZ = 200
N_RECORDS = 20
ECG_UV = np.random.default_rng(4).normal(0, 400, FS_HZ * N_RECORDS).clip(-3000, 3000)
STARTED = edfio.Recording(startdate=date(2024, 2, 29))


def signal(label: str = "ECG", unit: str = "uV", values=ECG_UV, fs_hz: float = FS_HZ, kind=edfio.EdfSignal):
    return kind(np.asarray(values), fs_hz, label=label, physical_dimension=unit, physical_range=(-3276.8, 3276.7))


def write(folder: Path, *signals, name: str = "night.edf", **fields) -> Path:
    path = folder / name
    kind = edfio.Bdf if name.endswith("bdf") else edfio.Edf
    kind(signals or (signal(),), starttime=clock(22, 30), data_record_duration=1, **fields).write(path)
    return path


def write_discontinuous(folder: Path, onsets_s: list[float], name: str = "night.edf") -> Path:
    """Move the data records of an EDF+C file, as a recorder does that was paused."""
    kind = edfio.BdfSignal if name.endswith("bdf") else edfio.EdfSignal
    note = edfio.EdfAnnotation(0, None, "room for longer times")
    path = write(folder, signal(kind=kind), name=name, annotations=[note], recording=STARTED)
    file = bytearray(path.read_bytes())
    file[192:197] = file[192:195] + b"+D"
    n_signals, width = 2, 3 if name.endswith("bdf") else 2
    header = 256 * (n_signals + 1)
    samples = int(file[256 + 216 * 2 + 8 : 256 + 216 * 2 + 16])
    record = (FS_HZ + samples) * width
    for k, onset_s in enumerate(onsets_s):
        at = header + k * record + FS_HZ * width
        file[at : at + samples * width] = (b"+%.6f\x14\x14\0" % onset_s).ljust(samples * width, b"\0")
    path.write_bytes(file[: header + len(onsets_s) * record])
    return patch(path, 236, b"%-8d" % len(onsets_s))


def patch(path: Path, at: int, new: bytes) -> Path:
    file = bytearray(path.read_bytes())
    file[at : at + len(new)] = new
    path.write_bytes(file)
    return path


@pytest.mark.data
def test_generator_file_yields_its_ecg_alone(data):
    path = data / "wfdb-samples/test_generator_2.edf"
    recording = open_file(path)
    info = recording.info
    assert [(lead.name, lead.original_unit) for lead in info.leads] == [("ECG", "uV")]
    assert (info.id, info.source, info.fs_hz, info.n_samples) == ("test_generator_2", "edf", 200, 120_000)
    assert info.start == datetime.fromisoformat("2009-12-10T12:44:02")
    assert info.notes[0].startswith("Left out: squarewave, ramp")
    read = np.concatenate([piece.signal_mv for piece in pieces(recording, step_s=17.33)])
    np.testing.assert_allclose(read[:, 0], edfio.read_edf(path).get_signal("ECG").data / 1000, atol=1e-7)


@pytest.mark.data
def test_file_of_annotations_holds_no_signal(data):
    with pytest.raises(InputUnsupported, match="holds annotations and no signal"):
        open_file(data / "wfdb-samples/test_edfann.edf")


def test_counts_come_back_from_millivolts(tmp_path):
    path = write(tmp_path)
    lead = open_file(path).info.leads[0]
    assert lead.counts_per_mv == pytest.approx(10_000)
    back = whole(open_file(path))[:, 0].astype(float) * lead.counts_per_mv + lead.zero_count
    np.testing.assert_array_equal(np.rint(back), edfio.read_edf(path).signals[0].digital)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, len(ECG_UV)), max_size=6), suffix=st.sampled_from(["edf", "bdf"]))
def test_windows_of_any_split_make_the_whole(tmp_path_factory, cuts, suffix):
    path = tmp_path_factory.getbasetemp() / f"split.{suffix}"
    if not path.exists():
        write(path.parent, signal(kind=edfio.BdfSignal if suffix == "bdf" else edfio.EdfSignal), name=path.name)
    recording = open_file(path)
    read = [recording.read_mv(a, b) for a, b in pairwise(sorted({0, len(ECG_UV), *cuts}))]
    np.testing.assert_allclose(np.concatenate(read)[:, 0], ECG_UV / 1000, atol=1e-4)


def test_bdf_is_read_with_its_24_bits(tmp_path):
    fine_uv = signal("EKG", "uV", ECG_UV, kind=edfio.BdfSignal)
    path = write(tmp_path, fine_uv, name="night.bdf")
    info = open_file(path).info
    assert info.source == "bdf"
    assert info.leads[0].counts_per_mv == pytest.approx((2**24 - 1) / 6.5535)
    expected = edfio.read_bdf(path).signals[0].data / 1000
    np.testing.assert_allclose(open_file(path).read_mv(333, 999)[:, 0], expected[333:999], atol=1e-6)


def test_paused_recorder_leaves_explicit_gaps(tmp_path):
    onsets_s = [*range(5), *range(65, 75), 75.5, 76.5]
    recording = open_file(write_discontinuous(tmp_path, onsets_s))
    assert recording.info.n_samples == 77.5 * FS_HZ
    found = list(pieces(recording, step_s=1e6))
    assert [type(piece) for piece in found] == [Window, Gap, Window, Gap, Window]
    gaps = [(g.start / FS_HZ, g.stop / FS_HZ, g.cause) for g in found if isinstance(g, Gap)]
    assert gaps == [(5, 65, "discontinuous EDF+D"), (75, 75.5, "discontinuous EDF+D")]
    windows = np.concatenate([w.signal_mv for w in found if isinstance(w, Window)])
    np.testing.assert_allclose(windows[:, 0], ECG_UV[: 17 * FS_HZ] / 1000, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, 8000), max_size=6))
def test_windows_across_gaps_make_the_whole(tmp_path_factory, cuts):
    path = tmp_path_factory.getbasetemp() / "paused.edf"
    if not path.exists():
        write_discontinuous(path.parent, [0, 1, 12.25, 20, 39], name=path.name)
    recording = open_file(path)
    assert recording.info.n_samples == 8000
    read = [recording.read_mv(a, b) for a, b in pairwise(sorted({0, 8000, *cuts}))]
    np.testing.assert_array_equal(np.concatenate(read), whole(recording))
    assert np.isfinite(whole(recording)).sum() == 5 * FS_HZ


def test_discontinuous_bdf_has_gaps_too(tmp_path):
    recording = open_file(write_discontinuous(tmp_path, [0, 1, 9, 10], name="night.bdf"))
    assert [(g.start, g.stop, g.cause) for g in pieces(recording) if isinstance(g, Gap)] == [
        (2 * FS_HZ, 9 * FS_HZ, "discontinuous BDF+D")
    ]


def test_rounded_record_times_are_no_gaps(tmp_path):
    recording = open_file(write_discontinuous(tmp_path, [0, 1.004, 1.996, 3.0, 4.001]))
    assert recording.info.n_samples == 5 * FS_HZ
    assert np.isfinite(whole(recording)).all()


def test_first_record_of_a_discontinuous_file_is_sample_zero(tmp_path):
    info = open_file(write_discontinuous(tmp_path, [7.25, 8.25])).info
    assert info.n_samples == 2 * FS_HZ
    assert info.start == datetime.fromisoformat("2024-02-29T22:30:07.250000")


def test_overlapping_data_records_are_unreadable(tmp_path):
    with pytest.raises(InputUnreadable, match=r"Data record 3 of .* begins before"):
        open_file(write_discontinuous(tmp_path, [0, 1, 1.2]))


def test_discontinuous_file_without_times_is_unreadable(tmp_path):
    with pytest.raises(InputUnreadable, match="no time for data record 1"):
        open_file(patch(write(tmp_path), 192, b"EDF+D"))


def test_time_after_years_of_pause_is_unreadable(tmp_path):
    with pytest.raises(InputUnreadable, match="claims to last"):
        open_file(write_discontinuous(tmp_path, [0, 1e8]))


def test_start_comes_with_its_fraction_of_a_second(tmp_path):
    path = tmp_path / "night.edf"
    starttime = clock(22, 30, 5, 125_000)
    edfio.Edf((signal(),), recording=STARTED, starttime=starttime, annotations=[]).write(path)
    assert open_file(path).info.start == datetime.fromisoformat("2024-02-29T22:30:05.125000")


def test_anonymised_date_is_no_start(tmp_path):
    info = open_file(write(tmp_path)).info
    assert info.start is None
    assert info.notes == ("The header gives a time of day, 22:30:00, without a date.",)


def test_date_that_stands_for_none_is_no_start(tmp_path):
    path = patch(write(tmp_path), 88, b"night study".ljust(80) + b"01.01.85")
    assert open_file(path).info.start is None
    assert open_file(patch(path, 168, b"02.01.85")).info.start == datetime.fromisoformat("1985-01-02T22:30:00")


def test_date_fields_that_differ_cause_no_warning(tmp_path):
    path = patch(write(tmp_path, recording=STARTED), 168, b"01.03.24")
    assert open_file(path).info.start == datetime.fromisoformat("2024-02-29T22:30:00")


def test_unreadable_date_is_no_start(tmp_path):
    assert open_file(patch(write(tmp_path), 88, b" " * 80 + b"99.99.99")).info.start is None


@pytest.mark.parametrize("unit", ["µV".encode(), b"\xb5V", b"uV"])
def test_micro_sign_in_any_encoding_is_microvolt(tmp_path, unit):
    recording = open_file(patch(write(tmp_path), 256 + 16 + 80, unit.ljust(8)))
    np.testing.assert_allclose(whole(recording)[:, 0], ECG_UV / 1000, atol=1e-4)


def test_patient_name_in_any_encoding_opens(tmp_path):
    assert open_file(patch(write(tmp_path), 8, b"X F X J\xf6rg_\xff\xfe\x80")).info.n_samples == 4000


def test_lead_of_another_rate_is_left_out(tmp_path):
    slow = signal("ECG II", values=ECG_UV[::2], fs_hz=100)
    info = open_file(write(tmp_path, signal("ECG I"), slow, signal("Resp"))).info
    assert [lead.name for lead in info.leads] == ["ECG I"]
    assert info.notes[0] == "Left out: Resp (not ECG); ECG II (100 Hz, not 200 Hz)."
    assert open_file(write(tmp_path, signal("ECG I"), slow), lead="ecg ii").info.fs_hz == 100


def test_file_that_was_cut_is_read_as_far_as_it_goes(tmp_path):
    path = write(tmp_path, recording=STARTED)
    path.write_bytes(path.read_bytes()[: 512 + 7 * 400 + 33])
    recording = open_file(path)
    assert recording.info.n_samples == 7 * FS_HZ
    assert recording.info.notes == ("The file was cut: 7 of 20 data records are there.",)
    np.testing.assert_allclose(whole(recording)[:, 0], ECG_UV[: 7 * FS_HZ] / 1000, atol=1e-4)


def test_file_still_being_written_is_read_as_far_as_it_goes(tmp_path):
    info = open_file(patch(write(tmp_path, recording=STARTED), 236, b"-1      ")).info
    assert info.n_samples == len(ECG_UV)
    assert info.notes == ("The header does not say how long the recording is; 20 data records were found.",)


@pytest.mark.parametrize("n_bytes", [4, 400])
def test_bytes_after_the_last_record_are_left_out(tmp_path, n_bytes):
    path = write(tmp_path, recording=STARTED)
    path.write_bytes(path.read_bytes() + b"j" * n_bytes)
    info = open_file(path).info
    assert info.n_samples == len(ECG_UV)
    assert info.notes == ("Bytes after the last data record were left out.",)


@pytest.mark.parametrize("n_bytes", [8, 255, 300, 511, 512, 900])
def test_file_without_a_whole_data_record_is_unreadable(tmp_path, n_bytes):
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(InputUnreadable, match=str(path)):
        open_file(path)


def test_zero_data_records_are_unreadable(tmp_path):
    with pytest.raises(InputUnreadable, match="holds no samples"):
        open_file(patch(write(tmp_path), 236, b"0       "))


def test_zero_seconds_per_record_are_unreadable(tmp_path):
    with pytest.raises(InputUnreadable):
        open_file(patch(write(tmp_path), 244, b"0       "))


@pytest.mark.parametrize("seconds", [b"-1      ", b"nan     ", b"1e-9    "])
def test_impossible_rate_is_unreadable(tmp_path, seconds):
    with pytest.raises(InputUnreadable, match="sampling rate of"):
        open_file(patch(write(tmp_path), 244, seconds))


def test_lead_without_a_range_is_unreadable(tmp_path):
    with pytest.raises(InputUnreadable, match="no range for ECG"):
        open_file(patch(write(tmp_path), 256 + 104 + 8, b"-3276.8 "))


def test_constant_signal_and_ten_kilohertz_open(tmp_path):
    recording = open_file(write(tmp_path, signal(values=np.full(20_000, 500.0), fs_hz=10_000)))
    assert (recording.info.fs_hz, recording.info.duration_s) == (10_000, 2)
    np.testing.assert_allclose(whole(recording), 0.5, atol=1e-4)


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_file_that_changes_while_it_is_open_is_unreadable(tmp_path, damage):
    path = write(tmp_path)
    recording = open_file(path)
    recording.read_mv(0, 10)
    path.unlink()
    if damage == "cut":
        path.write_bytes(b"0       ")
    with pytest.raises(InputUnreadable, match=r"shorter|does not exist"):
        recording.read_mv(1000, 2000)


@pytest.mark.data
@settings(max_examples=150, deadline=None)
@given(drawn=st.data())
def test_damaged_headers_raise_nothing_but_errors_of_this_package(data, tmp_path_factory, drawn):
    path = tmp_path_factory.getbasetemp() / "damaged.edf"
    name = drawn.draw(st.sampled_from(["test_generator_2.edf", "test_edfann.edf"]))
    shutil.copy(data / "wfdb-samples" / name, path)
    file = bytearray(path.read_bytes()[:120_000])
    for _ in range(drawn.draw(st.integers(0, 3))):
        at = drawn.draw(st.one_of(st.integers(168, 256), st.integers(0, 3600)))
        new = drawn.draw(st.one_of(st.binary(max_size=8), st.sampled_from([b"-1", b"0", b"1e9", b"nan", b" " * 8])))
        file[at : at + len(new)] = new
    path.write_bytes(file[: drawn.draw(st.integers(0, 6000))] if drawn.draw(st.booleans()) else file)
    with suppress(AnyecgError):
        recording = open_file(path)
        recording.read_mv(0, 300)
        recording.read_mv(recording.info.n_samples - 300, recording.info.n_samples)
