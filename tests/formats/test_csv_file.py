import time
from datetime import datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from record_tools import rows, times_s, whole, write_csv

from edge.errors import InputUnreadable, InputUnsupported
from edge.formats import csv_rows
from edge.formats.sniff import open_file
from edge.types import Gap, Window, pieces

ECG_MV = np.round(np.random.default_rng(5).normal(0, 0.4, 600), 4)


@pytest.mark.parametrize(
    ("column", "times"),
    [
        ("time_s", times_s()),
        ("time [s]", times_s()),
        ("elapsed", times_s()),
        ("t", times_s()),
        ("t_ms", [str(4 * k) for k in range(600)]),
        ("time (ms)", [str(4 * k + 1_700_000_000_000) for k in range(600)]),
        ("timestamp", [str(4 * k) for k in range(600)]),
        ("timestamp", [f"{1_700_000_000 + k / 250:.3f}" for k in range(600)]),
        ("sensor timestamp [ns]", [str(599_616_000_000_000_000 + 4_000_000 * k) for k in range(600)]),
        ("time_us", [str(4000 * k) for k in range(600)]),
    ],
)
def test_rate_follows_from_the_time_column(tmp_path, column, times):
    info = open_file(write_csv(tmp_path, f"{column},II_mV\n" + rows(times, ECG_MV))).info
    assert info.fs_hz == 250
    assert info.n_samples == 600
    assert info.start is None


@pytest.mark.parametrize("zone", ["", "Z", "+01:00"])
def test_dates_give_rate_and_start(tmp_path, zone):
    times = [f"2026-01-01T10:00:{k / 250:06.3f}{zone}" for k in range(600)]
    info = open_file(write_csv(tmp_path, "timestamp,II_mV\n" + rows(times, ECG_MV))).info
    assert (info.fs_hz, info.n_samples) == (250, 600)
    assert info.start == datetime.fromisoformat(f"2026-01-01T10:00:00{zone}")


def test_rounded_times_give_the_exact_rate(tmp_path):
    info = open_file(write_csv(tmp_path, "time_s,II_mV\n" + rows(times_s(fs_hz=360), ECG_MV))).info
    assert info.fs_hz == pytest.approx(360, rel=3e-4)
    assert info.n_samples == 600


def test_time_without_unit_is_guessed_with_a_note(tmp_path):
    info = open_file(write_csv(tmp_path, "time,II_mV\n" + rows([4 * k for k in range(600)], ECG_MV))).info
    assert info.notes == ("Column time states no unit; ms was taken.",)


@pytest.mark.parametrize("empty", ["", "nan", "NaN", " ", "inf", "-inf", "NA", "null", "1e39"])
def test_empty_cells_become_missing_samples(tmp_path, empty):
    values = [str(v) for v in ECG_MV]
    values[100:110] = [empty] * 10
    recording = open_file(write_csv(tmp_path, "time_s,II_mV\n" + rows(times_s(), values)))
    gaps = [(g.start, g.stop, g.cause) for g in pieces(recording) if isinstance(g, Gap)]
    assert gaps == [(100, 110, "empty cells")]


def test_jump_of_the_time_column_becomes_a_gap(tmp_path):
    times = [f"{(k + (k >= 200) * 250 + (k >= 400)) / 250:.3f}" for k in range(600)]
    recording = open_file(write_csv(tmp_path, "time_s,II_mV\n" + rows(times, ECG_MV)))
    assert recording.info.n_samples == 851
    found = list(pieces(recording))
    gaps = [(g.start, g.stop, g.cause) for g in found if isinstance(g, Gap)]
    assert gaps == [(200, 450, "time column jumps"), (650, 651, "time column jumps")]
    windows = np.concatenate([w.signal_mv for w in found if isinstance(w, Window)])
    np.testing.assert_allclose(windows[:, 0], ECG_MV, atol=1e-6)


@pytest.mark.parametrize("block_bytes", [40, 41, 47, 1000])
@pytest.mark.parametrize("date", ["", "2026-01-01T10:00:0"])
def test_jumps_and_lines_are_found_across_blocks(tmp_path, monkeypatch, block_bytes, date):
    monkeypatch.setattr(csv_rows, "BLOCK_BYTES", block_bytes)
    lines = [f"{date}{(k + (k >= 200) * 250) / 250:.3f},{value}" for k, value in enumerate(ECG_MV)]
    recording = open_file(write_csv(tmp_path, "time,II_mV\n" + "\n".join(lines)))
    gaps = [(g.start, g.stop, g.cause) for g in pieces(recording) if isinstance(g, Gap)]
    assert gaps == [(200, 450, "time column jumps")]
    np.testing.assert_allclose(recording.read_mv(450, 460)[:, 0], ECG_MV[200:210], atol=1e-6)
    lines[333] = f"{date}0.000,1"
    with pytest.raises(InputUnreadable, match="in line 335"):
        open_file(write_csv(tmp_path, "time,II_mV\n" + "\n".join(lines)))


def test_step_of_one_and_a_half_samples_is_no_gap(tmp_path):
    times = [4 * k + 2 * (k >= 300) for k in range(600)]
    assert open_file(write_csv(tmp_path, "time_ms,II_mV\n" + rows(times, ECG_MV))).info.n_samples == 600


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 60_500), max_size=6))
def test_windows_of_any_split_make_the_whole(tmp_path_factory, cuts):
    folder = tmp_path_factory.getbasetemp() / "csv split"
    values = np.round(np.sin(np.arange(60_000)), 6)
    if not folder.exists():
        folder.mkdir()
        times = [f"{(k + 500 * (k >= 31_000)) * 0.004:.3f}" for k in range(60_000)]
        write_csv(folder, "time_s,II_mV\n" + rows(times, values))
    path = folder / "strap.csv"
    assert path.stat().st_size > 3 * csv_rows.BLOCK_BYTES
    recording = open_file(path)
    read = np.concatenate([recording.read_mv(a, b) for a, b in pairwise(sorted({0, 60_500, *cuts}))])
    expected = np.concatenate([values[:31_000], np.full(500, np.nan), values[31_000:]])
    np.testing.assert_allclose(read[:, 0], expected, atol=1e-6)


def test_blank_lines_and_comments_between_rows_are_passed_over(tmp_path):
    text = "# fs_hz: 250\nII_mV\n1\n\n2\n# lead off\n3\n\n"
    assert whole(open_file(write_csv(tmp_path, text)))[:, 0].tolist() == [1, 2, 3]


def test_last_row_needs_no_line_end(tmp_path):
    assert whole(open_file(write_csv(tmp_path, "# fs_hz: 250\nII_mV\n1\n2")))[:, 0].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("bad_row", "what"),
    [
        ("0.4", "1 cells in line 103"),
        ("0.4,1,2", "3 cells in line 103"),
        ("0.4,off", "'off' for a number in line 103"),
        ("later,1", "'later' for a number in line 103"),
        (",1", "no time in line 103"),
    ],
)
def test_bad_row_is_unreadable_by_its_line(tmp_path, bad_row, what):
    lines = rows(times_s(), ECG_MV).splitlines()
    lines[100] = bad_row
    with pytest.raises(InputUnreadable, match=what):
        open_file(write_csv(tmp_path, "# unit: mV\ntime_s,II\n" + "\n".join(lines)))


def test_bad_row_far_down_is_named_by_its_line(tmp_path):
    lines = ["0.123456"] * 100_000
    lines[90_000] = "?"
    with pytest.raises(InputUnreadable, match="in line 90003"):
        open_file(write_csv(tmp_path, "# fs_hz: 250\nII_mV\n" + "\n".join(lines)))


def test_rows_that_make_up_for_each_other_are_still_wrong(tmp_path):
    with pytest.raises(InputUnreadable, match="1 cells in line 4"):
        open_file(write_csv(tmp_path, "# fs_hz: 250\nI_mV,II_mV\n1,2\n1\n1,2,3\n"))


def test_time_that_goes_back_is_unreadable_by_its_line(tmp_path):
    times = times_s()
    times[300] = "0.5"
    with pytest.raises(InputUnreadable, match="goes back in time in line 302"):
        open_file(write_csv(tmp_path, "time_s,II_mV\n" + rows(times, ECG_MV)))


def test_dates_that_go_back_are_unreadable_by_their_line(tmp_path):
    times = [f"2026-01-01T10:00:{k / 250:06.3f}" for k in range(600)]
    times[5] = "2025-12-31T10:00:00.000"
    with pytest.raises(InputUnreadable, match="goes back in time in line 7"):
        open_file(write_csv(tmp_path, "timestamp,II_mV\n" + rows(times, ECG_MV)))
    times[5] = "yesterday"
    with pytest.raises(InputUnreadable, match="no time in line 7"):
        open_file(write_csv(tmp_path, "timestamp,II_mV\n" + rows(times, ECG_MV)))


def test_rate_that_contradicts_the_times_is_unreadable(tmp_path):
    with pytest.raises(InputUnreadable, match=r"Header and data of .* disagree: 500 Hz is stated.*250 Hz"):
        open_file(write_csv(tmp_path, "# fs_hz: 500\ntime_s,II_mV\n" + rows(times_s(), ECG_MV)))


def test_rate_within_a_percent_of_the_times_holds(tmp_path):
    path = write_csv(tmp_path, "# fs_hz: 251\ntime_s,II_mV\n" + rows(times_s(), ECG_MV))
    assert open_file(path).info.fs_hz == 251


def test_times_that_repeat_tell_no_rate(tmp_path):
    times = [f"{k // 73}" for k in range(600)]
    with pytest.raises(InputUnsupported, match=r"same time to several rows.*remove the time column"):
        open_file(write_csv(tmp_path, "time_s,II_mV\n" + rows(times, ECG_MV)))


def test_irregular_times_are_unsupported(tmp_path):
    times = np.cumsum(np.random.default_rng(0).exponential(1, 600))
    with pytest.raises(InputUnsupported, match="not regular"):
        open_file(write_csv(tmp_path, "time_s,II_mV\n" + rows(times, ECG_MV)))


def test_clock_that_was_set_is_unreadable(tmp_path):
    times = [k * 0.004 + 1e8 * (k > 300) for k in range(600)]
    with pytest.raises(InputUnreadable, match="claims to last"):
        open_file(write_csv(tmp_path, "time_s,II_mV\n" + rows(times, ECG_MV)))


@pytest.mark.parametrize("rate", ["0", "-250", "1e9"])
def test_impossible_rate_is_unreadable(tmp_path, rate):
    with pytest.raises(InputUnreadable, match="sampling rate of"):
        open_file(write_csv(tmp_path, f"# fs_hz: {rate}\nII_mV\n" + rows(ECG_MV)))


def test_one_row_is_too_short_for_a_rate(tmp_path):
    with pytest.raises(InputUnsupported, match="too short"):
        open_file(write_csv(tmp_path, "time_s,II_mV\n0,1\n"))
    assert open_file(write_csv(tmp_path, "# fs_hz: 250\ntime_s,II_mV\n0,1\n")).info.n_samples == 1


@pytest.mark.parametrize("damage", ["cut", "gone", "other rows"])
def test_file_that_changes_while_it_is_open_is_unreadable(tmp_path, damage):
    path = write_csv(tmp_path, "# fs_hz: 250\nII_mV\n" + rows(ECG_MV))
    recording = open_file(path)
    path.unlink()
    if damage != "gone":
        write_csv(
            tmp_path,
            "# fs_hz: 250\nII_mV\n" + (rows(ECG_MV[:50]) if damage == "cut" else "0.123456789\n" * 600),
        )
    with pytest.raises(InputUnreadable, match=r"has changed|does not exist"):
        recording.read_mv(0, 600)


def test_an_hour_is_opened_and_read_fast(tmp_path):
    n_rows = 130 * 3600
    path = write_csv(tmp_path, "# fs_hz: 130\necg_uV\n" + "".join(f"{k % 997}\n" for k in range(n_rows)))
    before = time.process_time()
    assert sum(len(piece.signal_mv) for piece in pieces(open_file(path)) if isinstance(piece, Window)) == n_rows
    assert time.process_time() - before < 5.0
