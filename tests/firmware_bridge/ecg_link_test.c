/* Drives ecg_link.h from standard input, one command a line; `fuzz COUNT SEED` feeds the decoder damaged frames. */
#include <stdio.h>
#include <stdlib.h>

#include "ecg_link.h"

static uint8_t bytes[600];

static size_t read_hex(void) {
    char text[2 * 600 + 1];
    size_t n = 0;
    unsigned value;
    if (scanf("%1200s", text) != 1) return 0;
    for (; text[2 * n] && sscanf(text + 2 * n, "%2x", &value) == 1; n++) bytes[n] = (uint8_t)value; /* none of "-" */
    return n;
}

static void print_hex(const uint8_t *value, size_t n) {
    for (size_t i = 0; i < n; i++) printf("%02x", value[i]);
    printf(n ? "\n" : "-\n");
}

static long number(void) {
    long value = 0;
    if (scanf("%ld", &value) != 1) exit(3);
    return value;
}

static ecg_link_head read_head(void) {
    ecg_link_head head;
    head.leads = (uint8_t)number();
    head.samples = (uint8_t)number();
    head.marked = (uint8_t)number();
    head.battery = (uint8_t)number();
    head.boot = (uint16_t)number();
    head.lead_off = (uint16_t)number();
    head.sequence = (uint32_t)number();
    head.counter = (uint32_t)number();
    head.time_ms = (uint32_t)number();
    return head;
}

static void encode(void) {
    ecg_link_head head = read_head();
    size_t words = (size_t)head.leads * head.samples;
    int32_t *samples = malloc(words * sizeof *samples);
    for (size_t i = 0; i < words; i++) samples[i] = (int32_t)number();
    uint8_t out[512];
    print_hex(out, ecg_link_encode(&head, samples, out, sizeof out));
    free(samples);
}

static int decode_copy(const uint8_t *value, size_t n, ecg_link_head *head, int32_t *samples, size_t room) {
    uint8_t *copy = malloc(n ? n : 1); /* of exact size, so that the sanitizer sees a byte too many */
    memcpy(copy, value, n);
    int verdict = ecg_link_decode(copy, n, head, samples, room);
    free(copy);
    return verdict;
}

static void decode(void) {
    static int32_t samples[255 * 16];
    ecg_link_head head;
    size_t n_bytes = read_hex();
    int n = decode_copy(bytes, n_bytes, &head, samples, 255 * 16);
    if (n < 0) {
        printf("%d\n", n);
        return;
    }
    printf("%d %u %u %u %u %u %lu %lu %lu", n, head.leads, head.marked, head.battery, head.boot, head.lead_off,
           (unsigned long)head.sequence, (unsigned long)head.counter, (unsigned long)head.time_ms);
    for (int i = 0; i < n * head.leads; i++) printf(" %ld", (long)samples[i]);
    printf("\n");
}

static ecg_link_info read_info(void) {
    ecg_link_info info = {0};
    size_t n = read_hex();
    memcpy(info.id, bytes, n < 8 ? n : 8);
    info.leads = (uint8_t)number();
    info.adc_bits = (uint8_t)number();
    info.mtu = (uint16_t)number();
    info.rate_mhz = (uint32_t)number();
    info.ring_frames = (uint32_t)number();
    for (int l = 0; l < info.leads; l++) {
        info.names[l] = (uint8_t)number();
        info.pv_per_count[l] = (uint32_t)number();
    }
    return info;
}

static ecg_link_info info;
static ecg_link_device device;
static uint8_t *ring;
static int32_t *collected;

static void new_device(void) {
    info = read_info();
    uint8_t max_samples = (uint8_t)number();
    uint16_t boot = (uint16_t)number();
    free(ring);
    free(collected);
    ring = malloc(ECG_LINK_RING_BYTES(info.ring_frames, info.mtu));
    collected = malloc(ECG_LINK_WORDS(max_samples, info.leads) * sizeof *collected);
    ecg_link_init(&device, &info, ring, collected, max_samples, boot);
}

static void sample(void) {
    int32_t counts[ECG_LINK_MOST_LEADS];
    uint32_t time_ms = (uint32_t)number();
    device.lead_off = (uint16_t)number();
    device.battery = (uint8_t)number();
    if (number()) device.marked = 1;
    for (int l = 0; l < info.leads; l++) counts[l] = (int32_t)number();
    ecg_link_sample(&device, counts, time_ms);
}

static void command(void) {
    uint8_t response[ECG_LINK_RESPONSE_BYTES];
    uint16_t mtu = (uint16_t)number();
    size_t n = read_hex();
    print_hex(response, ecg_link_command(&device, bytes, n, mtu, response));
}

static void next(void) {
    const uint8_t *value = NULL;
    size_t n = ecg_link_next(&device, &value);
    print_hex(value, n);
    if (n) ecg_link_sent(&device);
}

static uint32_t state;

static uint32_t chance(uint32_t below) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % below;
}

/* Frames of random samples, damaged in several ways, half of them with a CRC that fits again. */
static int fuzz(long count, uint32_t seed) {
    static int32_t samples[255 * 16], again[255 * 16];
    long good = 0, refused = 0;
    state = seed;
    for (long i = 0; i < count; i++) {
        uint8_t value[512], other[512];
        size_t n;
        ecg_link_head head = {0};
        if (chance(4)) {
            head.leads = (uint8_t)(1 + chance(4));
            head.samples = (uint8_t)(1 + chance(24));
            uint32_t width = 1 + chance(22);
            for (int j = 0; j < head.leads * head.samples; j++)
                samples[j] = (int32_t)chance(1u << width) - (int32_t)(1u << (width - 1));
            n = ecg_link_encode(&head, samples, value, sizeof value);
            for (uint32_t flips = chance(4); n && flips--;) value[chance((uint32_t)n)] ^= (uint8_t)(1u << chance(8));
            if (n && !chance(4)) n = chance((uint32_t)n) + 1;
        } else {
            n = chance(sizeof value + 1);
            for (size_t j = 0; j < n; j++) value[j] = (uint8_t)chance(256);
            if (n) value[0] = (uint8_t)(0x10 | (value[0] & 15));
        }
        if (n > 2 && chance(4)) ecg_link_put16(value + n - 2, ecg_link_crc(value, n - 2));
        int verdict = decode_copy(value, n, &head, samples, 255 * 16);
        if (verdict < 0) {
            refused++;
            continue;
        }
        good++;
        size_t m = ecg_link_encode(&head, samples, other, sizeof other);
        if (!m || m > n || ecg_link_decode(other, m, &head, again, 255 * 16) != verdict ||
            memcmp(samples, again, (size_t)verdict * head.leads * sizeof *again))
            return 4;
    }
    printf("%ld %ld\n", good, refused);
    return 0;
}

int main(int argc, char **argv) {
    char what[2];
    if (argc == 4) return fuzz(atol(argv[2]), (uint32_t)atol(argv[3]));
    while (scanf("%1s", what) == 1) switch (what[0]) {
            case 'E': encode(); break;
            case 'D': decode(); break;
            case 'I': {
                uint8_t out[ECG_LINK_INFO_BYTES(ECG_LINK_MOST_LEADS)];
                ecg_link_info given = read_info();
                print_hex(out, ecg_link_info_value(&given, out));
                break;
            }
            case 'N': new_device(); break;
            case 'S': sample(); break;
            case 'C': command(); break;
            case 'X': next(); break;
            case 'Q': ecg_link_disconnected(&device); break;
            case 'L': ecg_link_lost(&device, (uint32_t)number()); break;
            default: return 2;
        }
    free(ring);
    free(collected);
    return 0;
}
