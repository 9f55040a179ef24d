from pathlib import Path

import pytest

from edge.errors import InputUnsupported, UsageError
from edge.formats.leads import Signal, choose, is_known_other, looks_like_ecg, mv_per_unit

FILE = Path("night.edf")


ECG_NAMES = (
    "I,II,III,aVR,avl,AVF,V,V1,v6,V9,V4R,MLI,MLII,MLIII,MCL1,MV,MV2,MX,CM5,CC5,D3,DII,vx,vy,vz,ECG,EKG,ecg1,"
    "ECG I,EKG lead II,Lead II,lead 1,ECG LL-RA,Chest ECG,ECG1-ECG2,LA-RA,E-S,mod.V1, ii ,ECG-V1,ecg_raw"
)
OTHER_NAMES = (
    "RESP,resp,ABP,ART,PLETH,PPG,SpO2,SaO2,CVP,PAP,CO2,EtCO2,EEG,EOG,EMG,EMG1,PLETH-L,GSR,HR,Temp,acc_x,"
    "EEG Fpz-Cz,C3-A2,Fz,Resp chest,EMG chin,EOG(L),Trigger,ABP mean,O1-M2"
)


@pytest.mark.parametrize("name", ECG_NAMES.split(","))
def test_names_of_ecg_leads_are_known(name):
    assert looks_like_ecg(name)
    assert not is_known_other(name)


@pytest.mark.parametrize("name", OTHER_NAMES.split(","))
def test_names_of_other_signals_are_known(name):
    assert is_known_other(name)
    assert not looks_like_ecg(name)


@pytest.mark.parametrize("name", ["noise", "ramp", "ch1", "C2", "signal", "x", "vector", "electrogram", "sine 1 Hz"])
def test_names_that_say_nothing_are_neither(name):
    assert not looks_like_ecg(name)
    assert not is_known_other(name)


@pytest.mark.parametrize(
    ("units", "scale"),
    [("V,Volt,v", 1e3), ("mV,MV, mV ,millivolt", 1), ("uV,µV,μV,UV,microvolts", 1e-3), ("nV", 1e-6)],
)
def test_any_spelling_of_a_voltage_becomes_millivolts(units, scale):
    assert {mv_per_unit(unit) for unit in units.split(",")} == {scale}


@pytest.mark.parametrize("unit", ["mmHg", "", "NU", "mVs", "%", "bpm"])
def test_other_units_are_no_voltage(unit):
    assert mv_per_unit(unit) is None


def test_labelled_leads_are_taken_in_the_order_of_the_file():
    signals = [Signal(n, "mV", 250) for n in ("V5", "noise", "II", "RESP")]
    chosen = choose(signals, None, FILE)
    assert chosen.indices == (0, 2)
    assert chosen.names == ("V5", "II")
    assert chosen.notes == ("Left out: noise, RESP (not ECG).",)


def test_unlabelled_voltage_is_taken_with_a_note():
    chosen = choose([Signal("ch1", "uV", 250), Signal("EEG", "uV", 250)], None, FILE)
    assert chosen.names == ("ch1",)
    assert chosen.mv_per_unit == (1e-3,)
    assert chosen.notes == ("No signal is labelled ECG; ch1 was taken as one.", "Left out: EEG (not ECG).")


def test_no_ecg_names_the_signals_that_are_there():
    with pytest.raises(
        InputUnsupported, match=r"night.edf holds no ECG lead.*ABP \(mmHg\), EEG \(uV\), II \(no unit\)"
    ):
        choose([Signal("ABP", "mmHg", 250), Signal("EEG", "uV", 250), Signal("II", "", 250)], None, FILE)


def test_no_signal_at_all_is_no_ecg():
    with pytest.raises(InputUnsupported, match="none"):
        choose([], None, FILE)


def test_lead_of_another_rate_is_left_out():
    chosen = choose([Signal("II", "mV", 500), Signal("V", "mV", 250), Signal("V1", "mV", 500)], None, FILE)
    assert chosen.names == ("II", "V1")
    assert chosen.fs_hz == 500
    assert chosen.notes == ("Left out: V (250 Hz, not 500 Hz).",)


def test_ecg_name_without_voltage_is_left_out_with_its_unit():
    chosen = choose([Signal("II", "NU", 250), Signal("V", "mV", 250)], None, FILE)
    assert chosen.names == ("V",)
    assert chosen.notes == ("Left out: II (unit NU is no voltage).",)


def test_lead_is_asked_for_in_any_case_and_comes_at_its_own_rate():
    chosen = choose([Signal("II", "mV", 500), Signal("aVR", "mV", 250)], "AVR", FILE)
    assert (chosen.indices, chosen.names, chosen.fs_hz) == ((1,), ("aVR",), 250)
    assert chosen.notes == ("Only aVR was asked for; left out: II.",)


@pytest.mark.parametrize("lead", ["V7", "", "RESP"])
def test_unknown_lead_is_a_usage_error_that_lists_the_leads(lead):
    signals = [Signal("II", "mV", 250), Signal("RESP", "mV", 250), Signal("V", "mV", 250)]
    with pytest.raises(UsageError, match=r"no lead .*Its leads: II, V$"):
        choose(signals, lead, FILE)


def test_repeated_and_missing_names_get_numbers():
    signals = [Signal("ECG", "mV", 250), Signal("ecg", "mV", 250), Signal("", "mV", 250)]
    assert choose(signals, None, FILE).names == ("ECG", "ecg 2")
    assert choose(signals[2:], None, FILE).names == ("signal 1",)
