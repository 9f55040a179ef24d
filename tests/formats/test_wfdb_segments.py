from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from record_tools import whole, write_header, write_record

from edge.errors import InputUnreadable, InputUnsupported
from edge.formats.sniff import open_file
from edge.types import Gap, Window, pieces


@pytest.fixture
def counts() -> np.ndarray:
    return np.random.default_rng(1).integers(-2000, 2000, 1000)


@pytest.fixture
def ward_record(data) -> Path:
    return data / "wfdb-samples/multi-segment/s25047/s25047-2704-05-04-10-44.hea"


@pytest.mark.data
def test_null_segment_becomes_a_gap(ward_record):
    first, second = next(iter(items := pieces(open_file(ward_record), stop=30_000, step_s=1000))), next(items)
    assert isinstance(first, Gap)
    assert (first.start, first.stop, first.cause) == (0, 25_740, "not recorded")
    assert isinstance(second, Window)
    assert second.start == 25_740


@pytest.mark.data
def test_segments_of_differing_gain_make_one_recording_in_millivolts(wfdb, ward_record):
    recording = open_file(ward_record)
    assert recording.info.n_samples == 543_240
    assert recording.info.start == datetime.fromisoformat("2704-05-04T10:44:18.529")
    assert [(lead.name, lead.counts_per_mv) for lead in recording.info.leads] == [("II", None), ("V", None)]
    expected = wfdb.rdrecord(str(ward_record.with_suffix("")), channels=[0, 1]).p_signal
    read = np.concatenate([recording.read_mv(a, a + 7001) for a in range(0, 543_240, 7001)])
    np.testing.assert_allclose(read, expected, atol=1e-5)


@pytest.mark.data
def test_one_segment_of_a_ward_record_opens_alone(ward_record):
    recording = open_file(ward_record.with_name("3234460_0001.dat"))
    assert recording.info.leads[0].counts_per_mv == 86
    assert recording.info.start is None
    assert recording.info.notes == ("The header gives a time of day, 10:47:44, without a date.",)


@pytest.mark.data
def test_layout_header_holds_no_samples(ward_record):
    with pytest.raises(InputUnreadable, match="holds no samples"):
        open_file(ward_record.with_name("3234460_layout.hea"))


@pytest.mark.data
def test_record_of_vital_signs_holds_no_ecg(ward_record):
    with pytest.raises(InputUnsupported, match=r"no ECG lead.*HR \(bpm\)"):
        open_file(ward_record.with_name(f"{ward_record.stem}n.hea"))


def test_fixed_layout_with_one_gain_keeps_its_counts(tmp_path, counts):
    write_record(tmp_path, counts, name="a")
    write_record(tmp_path, counts[:400], name="b")
    recording = open_file(write_header(tmp_path, "m/3 1 250 1500", "a 1000", "~ 100", "b 400"))
    assert recording.info.leads[0].counts_per_mv == 200
    expected = (np.concatenate([counts, np.full(100, np.nan), counts[:400]]) - 10) / 200
    np.testing.assert_allclose(whole(recording)[:, 0], expected, atol=1e-6)
    np.testing.assert_allclose(recording.read_mv(950, 1150)[:, 0], expected[950:1150], atol=1e-6)
    assert recording.gap_cause(1000) == "not recorded"


def test_lead_that_a_segment_lacks_is_not_recorded_there(tmp_path, counts):
    write_header(tmp_path, "m_layout 2 250 0", *[f"~ 0 200/mV 16 0 0 0 0 {name}" for name in ("V2", "V1")])
    write_record(tmp_path, counts, name="a")
    recording = open_file(write_header(tmp_path, "m/2 2 250 1000", "m_layout 0", "a 1000"))
    assert [lead.name for lead in recording.info.leads] == ["V2", "V1"]
    assert np.isnan(whole(recording)[:, 0]).all()
    np.testing.assert_allclose(whole(recording)[:, 1], (counts - 10) / 200, atol=1e-6)


def test_segments_that_do_not_add_up_are_unreadable(tmp_path, counts):
    write_record(tmp_path, counts, name="a")
    with pytest.raises(InputUnreadable, match="states 1500 frames, its segments have 2000"):
        open_file(write_header(tmp_path, "m/2 1 250 1500", "a 1000", "a 1000"))


def test_segment_of_another_rate_is_unreadable(tmp_path, counts):
    write_record(tmp_path, counts, name="a", fs="500")
    with pytest.raises(InputUnreadable, match="disagree"):
        open_file(write_header(tmp_path, "m/1 1 250 1000", "a 1000"))


def test_missing_segment_is_named(tmp_path):
    with pytest.raises(InputUnreadable, match=r"b\.hea does not exist"):
        open_file(write_header(tmp_path, "m/1 1 250 1000", "b 1000"))
