import shutil
import time
import warnings
from contextlib import suppress
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from record_tools import whole, write_header, write_record

from edge.errors import AnyecgError, InputUnreadable, InputUnsupported, UsageError
from edge.formats.sniff import open_file
from edge.types import Gap, Window, pieces

ONE_FILE_RECORDS = [
    *("mitdb/101", "wfdb-samples/a103l", "wfdb-samples/v102s", "wfdb-samples/s0010_re"),
    *("cinc2017/A00001", "ludb/data/1", "nstdb/118e_6"),
]


@pytest.fixture
def counts() -> np.ndarray:
    return np.random.default_rng(1).integers(-2000, 2000, 1000)


@pytest.mark.data
@pytest.mark.parametrize("name", ONE_FILE_RECORDS)
def test_windows_equal_the_whole_read_of_wfdb(wfdb, data, name):
    recording = open_file(data / name)
    expected, fields = wfdb.rdsamp(str(data / name), channel_names=[lead.name for lead in recording.info.leads])
    assert recording.info.fs_hz == fields["fs"]
    read = np.concatenate([piece.signal_mv for piece in pieces(recording, step_s=7.3) if isinstance(piece, Window)])
    np.testing.assert_allclose(read, expected, rtol=0, atol=1e-6)


@pytest.mark.data
def test_mitdb_counts_come_back_from_millivolts(wfdb, data):
    recording = open_file(data / "mitdb/101.dat")
    lead = recording.info.leads[0]
    assert (lead.name, lead.counts_per_mv, lead.zero_count, lead.original_unit) == ("MLII", 200.0, 1024, "mV")
    stored = wfdb.rdrecord(str(data / "mitdb/101"), sampto=5000, physical=False).d_signal[:, 0]
    back = recording.read_mv(0, 5000)[:, 0].astype(float) * lead.counts_per_mv + lead.zero_count
    np.testing.assert_array_equal(np.rint(back), stored)


@pytest.mark.data
def test_minute_by_minute_reading_is_cheap(data):
    recording = open_file(data / "mitdb/101")
    assert recording.info.n_samples == 650_000
    before = time.process_time()
    assert sum(len(piece.signal_mv) for piece in pieces(recording) if isinstance(piece, Window)) == 650_000
    assert time.process_time() - before < 1.0


@pytest.mark.data
def test_lead_with_four_samples_per_frame_is_read_at_its_own_rate(wfdb, data):
    recording = open_file(data / "wfdb-samples/03700181")
    assert recording.info.fs_hz == 500
    assert recording.info.n_samples == 300_000
    assert [lead.name for lead in recording.info.leads] == ["MCL1"]
    assert recording.info.start == datetime.fromisoformat("1994-08-15T17:27:45")
    assert recording.info.notes == ("Left out: ABP, RESP (not ECG).",)
    expected = wfdb.rdrecord(str(data / "wfdb-samples/03700181"), smooth_frames=False).e_p_signal[0]
    np.testing.assert_allclose(whole(recording)[:, 0], expected, atol=1e-6)
    np.testing.assert_array_equal(recording.read_mv(1233, 1238), whole(recording)[1233:1238])


@pytest.mark.data
def test_frank_leads_are_leads(data):
    recording = open_file(data / "wfdb-samples/s0010_re.xyz")
    assert len(recording.info.leads) == 15
    assert [lead.name for lead in recording.info.leads[-3:]] == ["vx", "vy", "vz"]
    assert recording.info.fs_hz == 1000


@pytest.mark.data
def test_photoplethysmogram_beside_the_ecg_is_left_out(data):
    recording = open_file(data / "wfdb-samples/a103l.mat")
    assert [lead.name for lead in recording.info.leads] == ["II", "V"]
    assert recording.info.notes == ("Left out: PLETH (not ECG).",)
    assert [lead.name for lead in open_file(data / "wfdb-samples/a103l.mat", lead="v").info.leads] == ["V"]


@pytest.fixture(scope="module", params=["16", "24", "32", "80", "212", "516"])
def record_of_each_format(request, wfdb, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp(f"format{request.param}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # wfdb writes with what pandas 3.1 deprecates
        wfdb.wrsamp(
            "r",
            fs=250,
            units=["mV"] * 3,
            sig_name=["I", "II", "V1"],
            d_signal=np.random.default_rng(2).integers(-100, 100, (997, 3)),
            fmt=[request.param] * 3,
            adc_gain=[50.0] * 3,
            baseline=[3] * 3,
            write_dir=str(folder),
        )
    return folder / "r"


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 997), max_size=5))
def test_windows_of_any_split_make_the_whole(wfdb, record_of_each_format, cuts):
    recording = open_file(record_of_each_format)
    expected = wfdb.rdrecord(str(record_of_each_format)).p_signal
    edges = sorted({0, 997, *cuts})
    read = [recording.read_mv(a, b) for a, b in pairwise(edges)]
    np.testing.assert_allclose(np.concatenate(read), expected, atol=1e-6)


@pytest.mark.parametrize(("fmt", "samples_per_word"), [("310", 3), ("311", 3)])
def test_three_samples_in_four_bytes_are_read_by_window(wfdb, tmp_path, fmt, samples_per_word):
    words = np.random.default_rng(3).integers(0, 256, (400, 4), dtype=np.uint8)
    words[:, 3] &= 0x3F  # the two spare bits of format 311
    words.tofile(tmp_path / "r.dat")
    n_frames = 400 * samples_per_word // 2
    header = [f"r.dat {fmt} 100(0)/mV 10 0 0 0 0 {name}" for name in ("I", "II")]
    recording = open_file(write_header(tmp_path, f"r 2 250 {n_frames}", *header))
    expected = wfdb.rdrecord(str(tmp_path / "r")).p_signal
    read = np.concatenate([recording.read_mv(a, a + 7) for a in range(0, n_frames, 7)])
    np.testing.assert_allclose(read, expected, atol=1e-6)


def test_reading_outside_is_cut_like_a_slice(tmp_path, counts):
    recording = open_file(write_record(tmp_path, counts))
    assert recording.read_mv(990, 2000).shape == (10, 1)
    assert recording.read_mv(-5, 3).shape == (3, 1)
    assert recording.read_mv(5000, 6000).shape == (0, 1)
    assert recording.read_mv(7, 7).dtype == np.float32


def test_reading_after_closing_is_an_error(tmp_path, counts):
    recording = open_file(write_record(tmp_path, counts))
    recording.close()
    with pytest.raises(ValueError, match="closed"):
        recording.read_mv(0, 1)


@pytest.mark.parametrize(
    ("gain", "unit", "counts_per_mv"),
    [
        ("200(10)/mV", "mV", 200),
        ("0.2(10)/uV", "uV", 200),
        ("0.2(10)/µV", "µV", 200),
        ("2e5(10)/V", "V", 200),
    ],
)
def test_any_voltage_becomes_millivolts(tmp_path, counts, gain, unit, counts_per_mv):
    recording = open_file(write_record(tmp_path, counts, gain))
    lead = recording.info.leads[0]
    assert lead.original_unit == unit
    assert lead.counts_per_mv == pytest.approx(counts_per_mv)
    assert lead.zero_count == 10
    np.testing.assert_allclose(whole(recording)[:, 0], (counts - 10) / 200, atol=1e-6)


def test_micro_sign_in_utf8_is_no_volt(tmp_path, counts):
    header = write_record(tmp_path, counts, "0.2(10)/uV")
    header.write_bytes(header.read_bytes().replace(b"uV", "µV".encode()))
    np.testing.assert_allclose(whole(open_file(header))[:, 0], (counts - 10) / 200, atol=1e-6)


def test_invalid_samples_become_a_gap_with_its_cause(tmp_path, counts):
    counts[300:350] = -32768
    gaps = [piece for piece in pieces(open_file(write_record(tmp_path, counts))) if isinstance(piece, Gap)]
    assert [(gap.start, gap.stop, gap.cause) for gap in gaps] == [(300, 350, "invalid samples")]


def test_constant_signal_is_a_signal(tmp_path):
    recording = open_file(write_record(tmp_path, np.full(500, 210)))
    assert np.all(whole(recording) == 1.0)


def test_ten_kilohertz_and_two_seconds_open(tmp_path, counts):
    info = open_file(write_record(tmp_path, np.tile(counts, 20), fs="10000")).info
    assert (info.fs_hz, info.duration_s) == (10_000, 2.0)


def test_differently_skewed_leads_are_aligned(tmp_path):
    table = np.arange(300).reshape(100, 3)
    table.astype("<i2").tofile(tmp_path / "r.dat")
    lines = [f"r.dat 16:{skew} 1(0)/mV 16 0 0 0 0 V{k + 1}" for k, skew in enumerate((0, 2, 5))]
    recording = open_file(write_header(tmp_path, "r 3 250 100", *lines))
    expected = np.full((100, 3), np.nan)
    for k, skew in enumerate((0, 2, 5)):
        expected[: 100 - skew, k] = table[skew:, k]
    np.testing.assert_array_equal(whole(recording), expected)
    np.testing.assert_array_equal(recording.read_mv(40, 50), expected[40:50])
    np.testing.assert_array_equal(recording.read_mv(97, 100), expected[97:])


def test_defaults_of_wfdb_are_told(tmp_path, counts):
    write_record(tmp_path, counts)
    header = write_header(tmp_path, "q 1", "r.dat 16")
    with pytest.raises(InputUnsupported, match="Write 1000 after the rate"):
        open_file(header)
    info = open_file(write_header(tmp_path, "q 1 250 1000 10:20:30", "r.dat 16")).info
    assert info.leads[0].counts_per_mv == 200
    assert info.notes == (
        "No signal is labelled ECG; signal 1 was taken as one.",
        "The header states no gain of a lead; WFDB's default of 200 was taken.",
        "The header gives a time of day, 10:20:30, without a date.",
    )


def test_date_and_time_make_the_start(tmp_path, counts):
    header = write_record(tmp_path, counts)
    header.write_text(header.read_text().replace(" 1000\n", " 1000 10:20:30.5 17/03/2021\n", 1))
    assert open_file(header).info.start == datetime.fromisoformat("2021-03-17T10:20:30.500")


@pytest.mark.parametrize("rate", ["0", "-250", "nan", "inf", "100001", "0.0"])
def test_impossible_rate_is_unreadable(tmp_path, counts, rate):
    with pytest.raises(InputUnreadable, match="sampling rate of"):
        open_file(write_record(tmp_path, counts, fs=rate))


def test_zero_samples_are_unreadable(tmp_path):
    with pytest.raises(InputUnreadable, match="holds no samples"):
        open_file(write_record(tmp_path, np.empty(0)))


def test_short_signal_file_is_unreadable_with_both_sizes(tmp_path, counts):
    header = write_record(tmp_path, counts)
    (tmp_path / "r.dat").write_bytes(b"\0" * 1999)
    with pytest.raises(InputUnreadable, match=r"r\.dat has 1999 bytes where its header asks for 2000"):
        open_file(header)


def test_bytes_before_the_signal_count_towards_its_size(tmp_path, counts):
    header = write_record(tmp_path, counts)
    header.write_text(header.read_text().replace(" 16 200", " 16+24 200"))
    with pytest.raises(InputUnreadable, match="has 2000 bytes where its header asks for 2024"):
        open_file(header)


def test_missing_signal_file_is_named(tmp_path, counts):
    header = write_record(tmp_path, counts)
    (tmp_path / "r.dat").unlink()
    with pytest.raises(InputUnreadable, match=r"r\.dat does not exist"):
        open_file(header)


@pytest.mark.parametrize("damage", ["cut", "gone", "header gone"])
def test_file_that_changes_while_it_is_open_is_unreadable(tmp_path, counts, damage):
    header = write_record(tmp_path, counts)
    recording = open_file(header)
    if damage == "cut":
        (tmp_path / "r.dat").write_bytes(b"\0" * 100)
    else:
        (header if damage == "header gone" else tmp_path / "r.dat").unlink()
    with pytest.raises(InputUnreadable, match=r"Cannot read|does not exist"):
        recording.read_mv(500, 1000)


def test_differences_are_unsupported_and_converted(tmp_path, counts):
    header = write_record(tmp_path, counts)
    header.write_text(header.read_text().replace(" 16 200", " 8 200"))
    with pytest.raises(InputUnsupported, match=r"WFDB format 8.*xform"):
        open_file(header)


def test_more_signals_than_promised_are_unreadable(tmp_path, counts):
    header = write_record(tmp_path, counts)
    header.write_text(header.read_text().replace("r 1 ", "r 2 "))
    with pytest.raises(InputUnreadable, match="promises 2 lines and has 1"):
        open_file(header)


def test_unknown_lead_lists_the_leads(tmp_path, counts):
    with pytest.raises(UsageError, match="Its leads: V1, V2"):
        open_file(write_record(tmp_path, counts.reshape(500, 2)), lead="V9")


@pytest.mark.data
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.data())
def test_damaged_headers_raise_nothing_but_errors_of_this_package(data, tmp_path_factory, drawn):
    folder = tmp_path_factory.getbasetemp() / "damaged"
    source = data / "wfdb-samples" / drawn.draw(st.sampled_from(["03700181", "a103l", "v102s"]))
    folder.mkdir(exist_ok=True)
    for suffix in (".dat", ".mat"):
        if source.with_suffix(suffix).exists() and not (folder / f"{source.name}{suffix}").exists():
            shutil.copy(source.with_suffix(suffix), folder)
    header = bytearray(source.with_suffix(".hea").read_bytes())
    for _ in range(drawn.draw(st.integers(0, 3))):
        at = drawn.draw(st.integers(0, len(header) - 1))
        header[at : at + drawn.draw(st.integers(0, 3))] = drawn.draw(st.binary(max_size=4))
    path = folder / f"{source.name}.hea"
    path.write_bytes(header[: drawn.draw(st.integers(0, len(header)))] if drawn.draw(st.booleans()) else header)
    with suppress(AnyecgError):
        recording = open_file(path)
        recording.read_mv(0, 300)
        recording.read_mv(recording.info.n_samples - 300, recording.info.n_samples)
