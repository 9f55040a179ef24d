"""The contract with the wearable: what a device sends, and virtual devices that misbehave on request."""
