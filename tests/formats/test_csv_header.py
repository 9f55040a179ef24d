from contextlib import suppress
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from record_tools import rows, times_s, whole, write_csv

from edge.errors import AnyecgError, InputUnreadable, InputUnsupported, UsageError
from edge.formats.sniff import open_file

ECG_MV = np.round(np.random.default_rng(5).normal(0, 0.4, 600), 4)

HEADERS = [
    "# fs_hz: 250\n# unit: mV\nII\n",
    "# fs = 250\nII_mV\n",
    "# sampling rate: 250 Hz\nII [mV]\n",
    "# sampling_frequency,250\n# units: mV\nII\n",
    "# Sample Rate (Hz): 250\nII (mV)\n",
    "#fs_hz:0.25 kHz\nII_mV\n",
    "fs_hz,250\nunit,mV\nII\n",
    "sampling rate;250,0 Hz;;\nunit;mV;;\n\nII\n",
    '"fs","250"\n"II_mV"\n',
    "\ufeff# fs: 250\n# device: Jörg's strap\n\nII_mV\n",
]

CELLS = st.sampled_from(
    ["", "0", "1.5", "-2e3", "nan", "x", "#", '"', "2026-01-01T10:00:00", ",", ";", "\t", "0,5", "\r"]
)


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_rate_and_unit_are_understood_however_they_are_stated(tmp_path, header, end):
    recording = open_file(write_csv(tmp_path, header.replace("\n", end) + rows(ECG_MV, end=end)))
    info = recording.info
    assert (info.id, info.source, info.fs_hz, info.n_samples) == ("strap", "csv", 250, 600)
    assert [(lead.name, lead.original_unit, lead.counts_per_mv) for lead in info.leads] == [("II", "mV", None)]
    np.testing.assert_allclose(whole(recording)[:, 0], ECG_MV, atol=1e-6)


@pytest.mark.parametrize(
    ("column", "name", "scale"),
    [
        ("ecg_uV", "ecg", 1e3),
        ("MLII (mV)", "MLII", 1),
        ("ecg [uV]", "ecg", 1e3),
        ("ECG [µV]", "ECG", 1e3),
        ("V1_nV", "V1", 1e6),
        ("ECG lead II (V)", "ECG lead II", 1e-3),
        ("aVR mV", "aVR", 1),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_unit_in_a_column_name_scales_to_millivolts(tmp_path, column, name, scale, encoding):
    text = f"# fs_hz: 250\n{column}\n" + rows([f"{v * scale:.9f}" for v in ECG_MV])
    recording = open_file(write_csv(tmp_path, text, encoding))
    assert recording.info.leads[0].name == name
    np.testing.assert_allclose(whole(recording)[:, 0], ECG_MV, atol=1e-6)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_columns_are_parted_by_comma_semicolon_or_tab(tmp_path, delimiter):
    text = delimiter.join(["time_s", "II_mV", "RESP_mV", "V1_uV"]) + "\n"
    text += rows(times_s(), ECG_MV, ECG_MV, ECG_MV * 1000, delimiter=delimiter)
    recording = open_file(write_csv(tmp_path, text))
    assert [lead.name for lead in recording.info.leads] == ["II", "V1"]
    assert recording.info.notes == ("Left out: RESP (not ECG).",)
    np.testing.assert_allclose(whole(recording), np.column_stack([ECG_MV, ECG_MV]), atol=1e-6)


def test_decimal_commas_are_read_between_semicolons(tmp_path):
    text = "time_s;II_mV\n" + rows(times_s(), ECG_MV, delimiter=";").replace(".", ",")
    np.testing.assert_allclose(whole(open_file(write_csv(tmp_path, text)))[:, 0], ECG_MV, atol=1e-6)


def test_app_with_three_time_columns_is_read_by_the_one_with_a_unit(tmp_path):
    phone = [f"2026-01-01T10:00:{k / 130:06.3f}" for k in range(600)]
    sensor = [599_616_000_000_000_000 + round(k * 1e9 / 130) for k in range(600)]
    text = "Phone timestamp;sensor timestamp [ns];timestamp [ms];ecg [uV]\n"
    text += rows(phone, sensor, [f"{k * 1000 / 130:.3f}" for k in range(600)], ECG_MV * 1000, delimiter=";")
    recording = open_file(write_csv(tmp_path, text))
    assert recording.info.fs_hz == 130
    np.testing.assert_allclose(whole(recording)[:, 0], ECG_MV, atol=1e-6)


def test_watch_export_without_column_names_is_read(tmp_path):
    text = 'Name,Mia\nDate of Birth,"Jan 1, 1990"\nRecorded Date,2026-01-01 10:00:00 +0100\n'
    text += 'Classification,Sinus Rhythm\nSymptoms,\nSoftware Version,1.90\nDevice,"Watch3,4"\n'
    text += "Sample Rate,512 hertz\n\n\nLead,Lead I\nUnit,µV\n\n" + rows(ECG_MV * 1000)
    recording = open_file(write_csv(tmp_path, text))
    assert recording.info.leads[0].name == "Lead I"
    assert recording.info.fs_hz == 512
    assert recording.info.start == datetime.fromisoformat("2026-01-01T10:00:00+01:00")
    np.testing.assert_allclose(whole(recording)[:, 0], ECG_MV, atol=1e-6)


@pytest.mark.parametrize(
    ("line", "start"),
    [
        ("# start: 2026-01-01T10:00:00+01:00", "2026-01-01T10:00:00+01:00"),
        ("# start_time: 2026-01-01 10:00:00.5", "2026-01-01T10:00:00.5"),
        ("start,2026-01-01T09:00:00Z", "2026-01-01T09:00:00+00:00"),
        ("# start_utc = 2026-01-01T09:00:00", "2026-01-01T09:00:00+00:00"),
    ],
)
def test_start_keeps_the_zone_it_names(tmp_path, line, start):
    info = open_file(write_csv(tmp_path, f"{line}\n# fs_hz: 250\nII_mV\n" + rows(ECG_MV))).info
    assert info.start == datetime.fromisoformat(start)
    assert info.start.tzinfo == datetime.fromisoformat(start).tzinfo


def test_start_that_is_no_date_is_left_out_with_a_note(tmp_path):
    info = open_file(write_csv(tmp_path, "# start: last Monday\n# fs_hz: 250\nII_mV\n" + rows(ECG_MV))).info
    assert info.start is None
    assert info.notes == ("The start time 'last Monday' is not written as ISO 8601 and was left out.",)


def test_names_in_a_comment_above_the_rows_are_names(tmp_path):
    table = np.column_stack([np.arange(600) / 250, ECG_MV])
    np.savetxt(tmp_path / "numpy.csv", table, delimiter=",", header="time_s,II_mV")
    assert open_file(tmp_path / "numpy.csv").info.fs_hz == 250


def test_row_numbers_and_unknown_text_columns_are_no_signals(tmp_path):
    text = "# unit: mV\n# fs_hz: 250\n,sample,ch1,label\n"
    text += rows(range(600), range(600), ECG_MV, ["N"] * 600)
    info = open_file(write_csv(tmp_path, text), lead="ch1").info
    assert [lead.name for lead in info.leads] == ["ch1"]


def test_column_nobody_labelled_is_taken_with_a_note(tmp_path):
    info = open_file(write_csv(tmp_path, "# fs_hz: 250\ntime_s,ch1_uV\n" + rows(times_s(), ECG_MV))).info
    assert info.notes == ("No signal is labelled ECG; ch1 was taken as one.",)


def test_lead_is_asked_for_by_name(tmp_path):
    path = write_csv(tmp_path, "# fs_hz: 250\nI_mV,II_mV\n" + rows(ECG_MV, -ECG_MV))
    np.testing.assert_allclose(whole(open_file(path, lead="ii"))[:, 0], -ECG_MV, atol=1e-6)
    with pytest.raises(UsageError, match="Its leads: I, II"):
        open_file(path, lead="V1")


def test_column_of_lead_v_is_not_in_volts(tmp_path):
    recording = open_file(write_csv(tmp_path, "# fs_hz: 250\n# unit: mV\nlead_V\n" + rows(ECG_MV)))
    assert [(lead.name, lead.original_unit) for lead in recording.info.leads] == [("lead_V", "mV")]
    np.testing.assert_allclose(whole(recording)[:, 0], ECG_MV, atol=1e-6)


def test_missing_unit_is_told_with_the_line_to_add(tmp_path):
    with pytest.raises(InputUnsupported, match=r"does not state the unit of its signals.*# unit: mV"):
        open_file(write_csv(tmp_path, "time_s,II\n" + rows(times_s(), ECG_MV)))


def test_missing_rate_is_told_with_the_line_to_add(tmp_path):
    with pytest.raises(InputUnsupported, match=r"does not state its sampling rate.*# fs_hz: 250"):
        open_file(write_csv(tmp_path, "II_mV\n" + rows(ECG_MV)))


@pytest.mark.parametrize("text", ["# fs_hz: 250\nI_mV,II_mV\n", "time_s,II_mV", "time_s,II_mV\n\n# end\n"])
def test_header_without_rows_holds_no_samples(tmp_path, text):
    with pytest.raises(InputUnreadable, match="holds no samples"):
        open_file(write_csv(tmp_path, text))


def test_table_without_ecg_names_its_signals(tmp_path):
    with pytest.raises(InputUnsupported, match=r"no ECG lead.*HR \(bpm\), SpO2 \(%\)"):
        open_file(write_csv(tmp_path, "time_s,HR (bpm),SpO2 [%]\n" + rows(times_s(), ECG_MV, ECG_MV)))


@settings(max_examples=300, deadline=None)
@given(
    header=st.sampled_from([*HEADERS, "time_s,II_mV\n", "timestamp;ecg [uV]\n", "a,b\n", ""]),
    lines=st.lists(st.lists(CELLS, max_size=4), max_size=12),
    delimiter=st.sampled_from([",", ";", "\t"]),
)
def test_any_table_raises_nothing_but_errors_of_this_package(tmp_path_factory, header, lines, delimiter):
    text = header + "".join(delimiter.join(cells) + "\n" for cells in lines)
    path = write_csv(tmp_path_factory.getbasetemp(), text)
    with suppress(AnyecgError):
        recording = open_file(path)
        assert whole(recording).shape == (recording.info.n_samples, len(recording.info.leads))
