"""The gateway, MQTT and its payloads."""
