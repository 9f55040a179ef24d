"""The open ECG link: how a self-built wearable hands its samples to the gateway (docs/ecg-link.md)."""
