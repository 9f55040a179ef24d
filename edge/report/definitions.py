"""The definitions behind the numbers of a report, in words, with the settings in force."""

from typing import Any

from edge.clean.spikes import FRONT_S, MIN_FS_HZ


def definitions(rhythm: dict[str, Any]) -> dict[str, str]:
    """Per section of the report; `rhythm` is `RhythmSettings` as plain values."""
    pauses = ", ".join(f"{limit:g}" for limit in rhythm["pauses_s"])
    n, cycles = rhythm["rate_beats"], rhythm["pattern_cycles"]
    return {
        "rate": (
            f"Lowest and highest rate: mean of {n} consecutive intervals without a gap. Tachycardia: above "
            f"{rhythm['tachycardia_bpm']:g} bpm, bradycardia: below {rhythm['bradycardia_bpm']:g} bpm, each for at "
            f"least {rhythm['episode_min_s']:g} s. Single intervals: see pauses."
        ),
        "rhythm": (
            f"Shares are of the time that could be analysed. Fibrillation (AF): an episode of at least "
            f"{rhythm['af_min_s']:g} s, shorter ones from {rhythm['af_brief_s']:g} s on are brief irregular rhythm; "
            f"unreadable stretches and ventricular runs of up to {rhythm['af_bridge_s']:g} s within an episode do not "
            f"end it and do not count. Ventricular tachycardia (VT): at least {rhythm['run_beats']} ventricular beats above "
            f"{rhythm['run_bpm']:g} bpm; not sustained below 30 s. Asystole: no beat for {rhythm['asystole_s']:g} s."
        ),
        "ectopy": (
            f"Couplet: two ectopic beats in succession; run: {rhythm['run_beats']} or more; its rate: the fastest mean "
            f"of up to {n} intervals. Bigeminy, trigeminy: at least {cycles} ventricular beats, each the second or "
            f"third after the last."
        ),
        "pauses": f"Pause: an RR interval of at least {pauses} s, counted for each limit; never across a gap.",
        "waves": (
            "Medians of beats labelled N in good signal, from wave limit to wave limit. QTc with the RR interval "
            "before the beat: Bazett QT/√RR, Fridericia QT/∛RR. ST: level "
            f"{1000 * rhythm['st_from_s']:g} to {1000 * rhythm['st_to_s']:g} ms after the QRS against the level before "
            "it; trend of one lead, no finding of ischaemia."
        ),
        "variability": (
            f"Of normal-to-normal intervals: between two beats labelled N, outside fibrillation; where beats have no "
            f"labels, by their timing. At least {rhythm['min_nn']} of them and "
            f"{100 * rhythm['min_nn_share']:g} % of all intervals."
        ),
        "signal": (
            f"Polarity: a lead seems upside down where the P wave and the larger part of the QRS point down in at least "
            f"{100 * rhythm['polarity_share']:g} % of normal beats, as they do in aVR and often in V1; it is upright where the P wave "
            f"points up in as many. Pacing spikes: fronts of {1000 * FRONT_S:g} ms that come again alike; looked for "
            f"from {MIN_FS_HZ:g} Hz on, and a recorder's filter may take them out."
        ),
        "hours": (
            f"VE, SVE: ventricular and supraventricular ectopic beats; pauses of at least "
            f"{min(rhythm['pauses_s'], default=0):g} s. Runs and pauses stand in the hour in which they begin."
        ),
    }
