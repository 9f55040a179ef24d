"""Every threshold of the runtime: default, unit and source. A TOML file may change any of them."""

import dataclasses
import math
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.errors import UsageError


@dataclass(frozen=True, slots=True)
class QualitySettings:
    """Cut-offs of the three quality states; see edge.clean.quality for what the states mean."""

    flat_mv: float = 0.010  # peak-to-peak in 1 s; two 5 µV steps, below the noise of any worn electrode
    lead_off_s: float = 3.0  # flat for so long means no contact; shorter is "flat"
    rail_share: float = 0.05  # share of a second held at its own extreme value: the converter is saturated
    rail_mv: float = 1.0  # only extremes this far from the window's median can be a rail
    artefact_mv: float = 8.0  # peak-to-peak after 0.5 Hz high-pass in 1 s; the largest QRS are about 5 mV
    drift_mv: float = 0.30  # one-way change in 1 s with nothing in the QRS band: electrode pop or amplifier recovery
    drift_quiet_mv: float = 0.030  # RMS of 5-30 Hz that counts as nothing; a second with a QRS has 0.1 and more
    beating_mv: float = 0.090  # RMS of 5-30 Hz of a second with beats; quiet seconds near such are a pause, not noise
    noise_usable_mv: float = 0.050  # RMS above 40 Hz where P and T limits are lost (P waves are about 0.1 mV)
    noise_unusable_mv: float = 0.250  # RMS above 40 Hz where small QRS are lost
    noise_qrs_ratio: float = 0.60  # RMS above 40 Hz over RMS of 5-30 Hz: white noise gives 1.3 to 2 at 250-360 Hz
    min_kurtosis: float = 4.0  # of the 5-30 Hz band over 5 s; Gaussian noise has 3; `bench cinc2017` tells the shares
    good_kurtosis: float = 6.0  # below, beats stand out, but what lies between them does not
    min_fs_hz: float = 80.0  # the detector's 5-30 Hz band and a noise band above 35 Hz must exist


@dataclass(frozen=True, slots=True)
class BeatSettings:
    """How the classical beat detector is windowed; it serves where the network cannot run."""

    window_s: int = 10  # whole seconds; beats are decided for so much at a time; with `ahead_s` the largest live delay
    before_s: int = 20  # whole seconds; context before, in which the detector's thresholds settle
    ahead_s: float = 2.0  # context after: one longest ordinary RR interval
    min_run_s: float = 2.0  # the detector learns its thresholds in two seconds; shorter runs are not searched
    edge_guard_s: float = 0.06  # half a QRS: nearer to the edge of a stretch no beat is whole
    t_wave_s: float = 0.40  # a much smaller detection so soon after a beat is its T wave
    p_wave_s: float = 0.36  # a much smaller detection so soon before a beat is its P wave
    small_fraction: float = 0.50  # "much smaller": below this share of the neighbour's size in 4-20 Hz
    blind_s: float = 0.20  # the detector sees nothing for so long after a beat, so a P wave can hide the QRS …
    foot_share: float = 0.70  # … and is told by its size, below this share of the peak that follows
    overlong: float = 1.40  # intervals over so many local medians are searched for an overlooked beat
    overlooked_fraction: float = 0.50  # an overlooked beat has at least this share of the usual size …
    over_t_wave: float = 1.50  # … and is so many times as large as the T waves here
    noise_share: float = 0.05  # below this share of the large beats' size it is noise
    fast_share: float = 0.80  # `refractory_s` is at most so much of the usual interval: rates above 240 bpm stay whole
    refractory_s: float = 0.25  # 240 bpm; nearer detections on both sides of a window edge are one beat


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """How the outputs of the annotator network are read; chosen on the scores of its cross-validation."""

    peak_probability: float = 0.15  # a peak of the beat curve at least so high may be a beat …
    beat_probability: float = 0.45  # … and is one when its numbers say so with this probability …
    quiet_probability: float = 0.20  # … or with this one in a second with little noise: odd beats are odd, not noise
    quiet_noise: float = 0.08  # little noise: beats are lost with a probability below this in the second …
    quiet_before: float = 0.02  # … and below this in the seconds before
    wave_probability: float = 0.50  # a wave lasts while its curve is so high
    p_company: float = 5.0  # the logit of a P wave moves by this times the share of beats around that have one there …
    p_company_share: float = 0.60  # … beyond this
    unreadable_probability: float = 0.50  # seconds whose beats are lost in noise with this probability are unusable
    doubtful_probability: float = 0.15  # from here on small waves may be hidden: the second is usable, not good
    ectopic_weight: float = 1.3  # of S and V before the most probable label is taken: one overlooked counts for more
    af_no_p: float = 0.30  # from this probability of fibrillation or flutter on no P wave is drawn
    af_no_ectopy: float = 0.85  # from this probability of fibrillation on no beat is called supraventricular ectopic
    conducted_step: float = 0.06  # no V: both intervals differ so little from the local one (natural logarithm) …
    conducted_p: float = 0.90  # … after a P wave of this probability …
    conducted_pr: float = 0.30  # … whose distance is the local one to this share of 48 ms
    early_share: float = 0.92  # an S beat comes before this share of the local or earlier interval …
    far_share: float = 0.72  # … or lies in a rate whose intervals are below this share of the last minutes' usual one
    run_prematurity: float = 0.90  # a supraventricular run goes on below this share of the RR interval before it
    run_likeness: float = 0.45  # … while its QRS correlates so well with the usual one
    most_leads: int = 2  # leads read at once; each costs the same again


@dataclass(frozen=True, slots=True)
class RhythmSettings:
    """Definitions behind the facts; printed with every report."""

    rate_beats: int = 8  # minimum, maximum and current rate are means over so many RR intervals (ISHNE-HRS 2017)
    tachycardia_bpm: float = 100.0  # above; ISHNE-HRS 2017
    bradycardia_bpm: float = 50.0  # below; clinical practice 40-50, consumer guides 60
    episode_min_s: float = 15.0  # a faster or slower stretch counts from here on
    pauses_s: tuple[float, ...] = (2.0, 2.5, 3.0)  # ambulatory ECG practice: three columns
    early_fraction: float = 0.80  # RR below this share of the local median: the beat came early
    local_beats: int = 11  # beats of the local median
    irregular_share: float = 0.20  # share of early or late intervals above which single beats cannot be called early
    regular_share: float = 0.05  # share below which the beat is called regular
    min_rate_intervals: int = 3  # fewer valid RR intervals give no rate; a 10 s ECG at 30 bpm has four
    min_nn: int = 60  # fewer NN intervals give no variability (Task Force 1996: short-term is 5 min; a minute at least)
    min_nn_share: float = 0.50  # below, what is left is a selection and not the heart's variability
    # naming rhythms (edge.detect.rhythm)
    run_beats: int = 3  # so many ectopic beats in succession are a run; ISHNE-HRS 2017
    run_bpm: float = 100.0  # a faster run is a tachycardia; ISHNE-HRS 2017 (some use 120)
    pattern_cycles: int = 3  # bigeminy and trigeminy from so many cycles on; vendors differ
    asystole_s: float = 3.0  # no beat in readable signal for so long; the longest of `pauses_s`
    sinus_limit_bpm: float = 220.0  # no adult's sinus node is faster (220 less the age in years)
    whole_stretch_s: float = 7.0  # fast or slow throughout so long a stretch is enough: a 10 s ECG never has 15 s
    sinus_arrhythmia_ms: float = 120.0  # longest less shortest of `local_beats` intervals; the usual definition …
    sinus_arrhythmia_share: float = 0.20  # … and of their median; the usual 10 % is reached by breathing at rest
    sinus_arrhythmia_min_s: float = 30.0  # one odd interval lies in `local_beats` windows, up to 30 s of them
    paced_beats: int = 5  # paced where most of so many beats are
    af_enter: float = 0.65  # fibrillation or flutter begins at this probability, smoothed: flicker does not begin it …
    af_leave: float = 0.35  # … and lasts until it is below this
    af_smooth_s: int = 9  # seconds of the mean that is compared; about ten beats, the least that shows irregularity
    af_min_s: float = 30.0  # HRS/EHRA/ECAS 2017: an episode; shorter is "brief irregular"
    af_brief_s: float = 10.0  # shorter is not named at all
    af_bridge_s: float = 10.0  # unreadable so long at most, with fibrillation on both sides, is one episode
    vf_enter: float = 0.65  # ventricular flutter or fibrillation, as for `af_enter` …
    vf_leave: float = 0.35
    vf_smooth_s: int = 3  # … but an alarm must not wait
    vf_min_s: float = 3.0  # about ten flutter waves; shorter is read from the beats
    noise_min_s: float = 3.0  # unreadable so long is named, shorter is left without a name
    sustained_s: float = 30.0  # a tachycardia that lasts so long is sustained; ISHNE-HRS 2017
    # waves (edge.interpret.waves, .polarity)
    wave_min_beats: int = 3  # a median of fewer beats is one beat's own; a 10 s ECG at 30 bpm has four
    st_from_s: float = 0.060  # the ST level is that from so long after the end of the QRS …
    st_to_s: float = 0.080  # … to so long after it; usual in ambulatory ECG …
    pr_level_s: float = 0.020  # … against the level so long before the QRS; after the end of the P wave
    st_trend_s: int = 300  # the ST level is told for so much time together …
    st_sampled_s: int = 20  # … from the beats of so many seconds of it, those with the most beats that can be measured
    polarity_min_beats: int = 5  # a 10 s ECG at 50 bpm has so many that are whole
    polarity_share: float = 0.80  # of the beats agree on a polarity; P waves are small, and some drown
    polarity_p_mv: float = 0.005  # mean of a P wave above the line between its limits; less points nowhere
    # spans (edge.detect.rhythm)
    shortest_span_s: float = 0.50  # what is left of a rhythm between two others is not named when shorter than a beat


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """How the durable recording is written and kept."""

    commit_s: float = 0.5  # signal handed over is on disk after at most so much more signal
    block_s: float = 60.0  # small commits are packed into blocks of this length
    max_age_days: float = 30.0  # retention by age; 0 keeps everything
    max_gb: float = 20.0  # retention by size of the whole folder; 0 keeps everything
    synchronous: str = "FULL"  # SQLite: survives power cuts; "NORMAL" spares an SD card and may lose seconds


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """How frames become a recording."""

    reorder_frames: int = 8  # so many frames are held back to put a late one in its place
    frame_queue: int = 4096  # arrivals waiting for the store (40 s of 100 packets a second); beyond, counted losses
    state_every_s: float = 5.0  # live state is published at most so often (Home Assistant's recorder)
    refetch_frames: int = 256  # held back at most while a device is asked to repeat; it is given up after about 50
    rate_s: float = 4.0  # signal from which the true sampling rate of a strap is measured before it is recorded
    rate_tolerance: float = 5e-4  # a measured rate nearer to the nominal one is the nominal one: stamps are in ms
    anchor_s: float = 60.0  # the least delayed packet of so much time goes into the time map
    silent_s: float = 3.0  # without data for so long a link counts as silent; a strap sends every 0.1 to 1 s
    restart_s: float = 8.0  # then its stream is stopped and started …
    reconnect_s: float = 16.0  # … and then the link is made anew
    first_data_s: float = 40.0  # a first frame may take so long (Polar H10: complaints of 25 to 30 s)
    retry_first_s: float = 0.5  # wait before the first attempt to connect again; it doubles …
    retry_most_s: float = 30.0  # … up to this, so that a strap put on again is found within half a minute
    scan_s: float = 8.0  # a strap advertises every 0.02 to 2 s
    attempt_s: float = 20.0  # longest wait for one connection


@dataclass(frozen=True, slots=True)
class RrSettings:
    """How RR intervals become beats; the figures behind the choices: bench/results/rr.json."""

    shortest_rr_s: float = 0.20  # 300 bpm; shorter is a double count, as for the beat detector (BeatSettings.blind_s)
    longest_rr_s: float = 8.0  # 7.5 bpm; longer ones come of lost contact, and a longer pause is not told from that
    hold_s: float = 12.0  # notifications are reported to come up to 4 s late; three times that, like the ECG's window
    tick_s: float = 1.0  # a notification about every second
    block_s: float = 4.0  # the least lag is taken over multiples of so much time
    history_s: float = 256.0  # a host clock 500 ppm off moves the lag by 0.13 s meanwhile, far below `rise_s`
    rise_s: float = 0.30  # the least lag rose by so much beyond all it was: something was lost
    slow_rise_s: float = 1.0  # a minute's least lag is so far above the usual one: a notification is missing
    drift: float = 500e-6  # the usual lag follows so fast; crystals are within 100 ppm of each other
    shortest_loss_s: float = 0.50  # half a notification; less was not lost, because notifications are lost whole
    longest_silence_s: float = 32.0  # Bluetooth LE's longest supervision timeout ends the link: more is a clock step


@dataclass(frozen=True, slots=True)
class AskSettings:
    """How questions are answered."""

    max_question_chars: int = 1000  # longer questions are declined, not cut
    plan_confidence: float = 0.30  # below, the question counts as not understood
    model_start_s: float = 20.0  # longest wait for the language model to load
    model_answer_s: float = 2.0  # then the plain sentence is used
    max_words_tokens: int = 64  # longest reworded sentence


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings together."""

    quality: QualitySettings = field(default_factory=QualitySettings)
    beats: BeatSettings = field(default_factory=BeatSettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    rhythm: RhythmSettings = field(default_factory=RhythmSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    link: LinkSettings = field(default_factory=LinkSettings)
    rr: RrSettings = field(default_factory=RrSettings)
    ask: AskSettings = field(default_factory=AskSettings)

    def as_dict(self) -> dict[str, Any]:
        """Plain nested values, for reports."""
        return dataclasses.asdict(self)


def from_tables(tables: dict[str, Any]) -> Settings:
    """Settings from parsed TOML tables; an unknown name is a UsageError that lists the known ones."""
    parts: dict[str, Any] = {}
    for section in dataclasses.fields(Settings):
        default = getattr(Settings(), section.name)
        given = tables.pop(section.name, {})
        known = {f.name for f in dataclasses.fields(default)}
        unknown = set(given) - known
        if unknown:
            raise UsageError(f"Unknown setting {section.name}.{min(unknown)}", f"Known: {', '.join(sorted(known))}")
        for name, value in given.items():
            wanted = type(getattr(default, name))
            if wanted is tuple and isinstance(value, list):
                given[name] = tuple(value)
            elif wanted is float and type(value) is int:
                given[name] = float(value)
            elif type(value) is not wanted:
                raise UsageError(f"Setting {section.name}.{name} must be {wanted.__name__}, not {value!r}")
            _check_size(f"{section.name}.{name}", given[name], getattr(default, name))
        parts[section.name] = dataclasses.replace(default, **given)
    if tables:
        raise UsageError(
            f"Unknown section [{min(tables)}]",
            f"Known: {', '.join(f.name for f in dataclasses.fields(Settings))}",
        )
    return Settings(**parts)


def _check_size(name: str, value: Any, default: Any) -> None:
    """Counts of nothing, negative lengths and what is no number would loop or divide by zero somewhere."""
    if isinstance(value, tuple):
        for one in value:
            if type(one) not in (int, float):
                raise UsageError(f"Setting {name} holds numbers, not {one!r}")
            _check_size(name, one, default[0])
    elif isinstance(value, int | float) and not isinstance(value, bool):
        least = 1 if isinstance(default, int) and default >= 1 else 0 if default >= 0 else -math.inf
        if not (math.isfinite(value) and value >= least):
            raise UsageError(f"Setting {name} cannot be {value!r}", f"It is at least {least:g}; usual is {default!r}")


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file; UsageError names the line that does not parse."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"Cannot read settings {path}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"Settings {path} are not TOML: {error}") from error


def home() -> Path:
    """Folder of recordings and caches: $ANYECG_HOME, else the user's data folder."""
    given = os.environ.get("ANYECG_HOME")
    if given:
        return Path(given)
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "anyecg"
