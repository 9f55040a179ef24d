/* What a device links: compiled by `anyecg bench link` to measure flash, RAM and stack. */
#include "ecg_link.h"

void firmware_init(ecg_link_device *device, const ecg_link_info *info, uint8_t *ring, int32_t *collected) {
    ecg_link_init(device, info, ring, collected, 125, 1);
}
size_t firmware_info(const ecg_link_info *info, uint8_t *out) { return ecg_link_info_value(info, out); }
void firmware_sample(ecg_link_device *device, const int32_t *counts, uint32_t time_ms) {
    ecg_link_sample(device, counts, time_ms);
}
void firmware_lost(ecg_link_device *device, uint32_t samples) { ecg_link_lost(device, samples); }
size_t firmware_command(ecg_link_device *device, const uint8_t *value, size_t n, uint16_t mtu, uint8_t *response) {
    return ecg_link_command(device, value, n, mtu, response);
}
size_t firmware_next(ecg_link_device *device, const uint8_t **value) { return ecg_link_next(device, value); }
void firmware_sent(ecg_link_device *device) { ecg_link_sent(device); }
void firmware_disconnected(ecg_link_device *device) { ecg_link_disconnected(device); }

ecg_link_device the_device; /* its size is the header's own RAM */
