"""Signal quality and pacing spikes."""
