/* ECG link, version 1: the wearable's side in one header, and a decoder. See docs/ecg-link.md.
 *
 * C99 (and C++11); no allocation, no I/O, no floating point. One thread: call everything from the same task, or lock
 * around it. Apache-2.0.
 */
#ifndef ECG_LINK_H
#define ECG_LINK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ECG_LINK_VERSION 1
#define ECG_LINK_MOST_LEADS 16
#define ECG_LINK_MOST_SAMPLES 255
#define ECG_LINK_HEAD_BYTES 20
#define ECG_LINK_OVERHEAD 22 /* head and CRC */
#define ECG_LINK_LEAD_BITS 30
#define ECG_LINK_RESIDUAL_BITS 26
#define ECG_LINK_NO_BATTERY 255
#define ECG_LINK_NOW 0xFFFFFFFFu
#define ECG_LINK_RESPONSE_BYTES 12
#define ECG_LINK_INFO_BYTES(leads) (22 + 5 * (leads))

/* Memory that a device needs besides its ecg_link_device: bytes of the ring, and 32-bit words of samples. */
#define ECG_LINK_SLOT(mtu) ((size_t)(mtu) - 3 + 2)
#define ECG_LINK_RING_BYTES(frames, mtu) ((size_t)(frames) * ECG_LINK_SLOT(mtu))
#define ECG_LINK_WORDS(samples, leads) ((size_t)(samples) * (leads))

enum { ECG_LINK_START = 1, ECG_LINK_STOP = 2 };
enum {
    ECG_LINK_OK = 0,
    ECG_LINK_UNKNOWN_OP = 1,
    ECG_LINK_BAD_LENGTH = 2,
    ECG_LINK_MTU_TOO_SMALL = 3,
    ECG_LINK_BUSY = 4
};
/* What ecg_link_decode says of bytes that are no frame. */
enum { ECG_LINK_LENGTH = -1, ECG_LINK_VERSION_OTHER = -2, ECG_LINK_CRC = -3, ECG_LINK_SAMPLES = -4 };

typedef struct {
    uint8_t leads;    /* 1 to 16 */
    uint8_t samples;  /* 1 to 255 */
    uint8_t marked;   /* the wearer pressed the button: 0 or 1 */
    uint8_t battery;  /* percent, or ECG_LINK_NO_BATTERY */
    uint16_t boot;    /* another one at every power-up */
    uint16_t lead_off; /* bit i: lead i had no contact */
    uint32_t sequence, counter, time_ms;
} ecg_link_head;

typedef struct {
    uint8_t id[8];
    uint8_t leads;
    uint8_t adc_bits;
    uint16_t mtu;      /* smallest MTU to stream at; frames have at most mtu - 3 bytes */
    uint32_t rate_mhz; /* samples per 1000 s */
    uint32_t ring_frames;
    uint8_t names[ECG_LINK_MOST_LEADS]; /* codes of docs/ecg-link.md: 0 ECG, 1 I, 2 II ... */
    uint32_t pv_per_count[ECG_LINK_MOST_LEADS];
} ecg_link_info;

typedef struct {
    /* Set these at any time. */
    uint16_t lead_off; /* now */
    uint8_t battery;
    uint8_t marked; /* set it to 1 when the button is pressed; the next frame carries it */
    /* The rest is the header's own. */
    const ecg_link_info *info;
    uint8_t *ring;
    int32_t *collected;
    uint8_t max_samples, n_collected, streaming;
    uint16_t boot, lead_off_since_frame;
    uint32_t next, cursor, counter, time_ms;
} ecg_link_device;

/* ---- numbers ---- */

static inline void ecg_link_put16(uint8_t *at, uint16_t value) {
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static inline void ecg_link_put32(uint8_t *at, uint32_t value) {
    ecg_link_put16(at, (uint16_t)value);
    ecg_link_put16(at + 2, (uint16_t)(value >> 16));
}

static inline uint16_t ecg_link_get16(const uint8_t *at) { return (uint16_t)(at[0] | at[1] << 8); }

static inline uint32_t ecg_link_get32(const uint8_t *at) {
    return ecg_link_get16(at) | (uint32_t)ecg_link_get16(at + 2) << 16;
}

static inline uint16_t ecg_link_crc(const uint8_t *bytes, size_t n) {
    uint16_t crc = 0xFFFF;
    for (size_t i = 0; i < n; i++) {
        crc ^= (uint16_t)(bytes[i] << 8);
        for (int bit = 0; bit < 8; bit++) crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
    }
    return crc;
}

/* ---- codes: bits run from the highest of each byte down ---- */

/* Residual of sample i > 0 of a lead, its sign folded in. Samples of one lead lie `stride` words apart. */
static inline uint32_t ecg_link_folded(const int32_t *lead, size_t stride, uint32_t i, uint32_t order) {
    const int32_t *at = lead + i * stride;
    int32_t step = at[0] - *(at - stride);
    if (order && i > 1) step -= *(at - stride) - *(at - 2 * stride);
    return (uint32_t)step << 1 ^ (step < 0 ? 0xFFFFFFFFu : 0);
}

/* Least bits of the residuals of n samples in one order. Length is convex in k: the first rise ends the search. */
static inline uint64_t ecg_link_least_bits(const int32_t *lead, size_t stride, uint32_t n, uint32_t order,
                                           uint32_t *best_k) {
    uint64_t least = UINT64_MAX;
    for (uint32_t k = 0; k <= ECG_LINK_RESIDUAL_BITS; k++) {
        uint64_t bits = (uint64_t)(n - 1) * (k + 1);
        for (uint32_t i = 1; i < n; i++) bits += ecg_link_folded(lead, stride, i, order) >> k;
        if (bits >= least) break;
        least = bits;
        *best_k = k;
    }
    return least;
}

static inline uint64_t ecg_link_bits(const int32_t *samples, uint32_t leads, uint32_t n) {
    uint64_t bits = (uint64_t)leads * ECG_LINK_LEAD_BITS;
    for (uint32_t lead = 0; lead < leads; lead++) {
        uint32_t k;
        uint64_t first = ecg_link_least_bits(samples + lead, leads, n, 0, &k);
        uint64_t second = ecg_link_least_bits(samples + lead, leads, n, 1, &k);
        bits += second < first ? second : first;
    }
    return bits;
}

static inline void ecg_link_put_bits(uint8_t *out, size_t *at, uint32_t value, uint32_t width) {
    while (width--) {
        if (value >> width & 1) out[*at >> 3] |= (uint8_t)(0x80 >> (*at & 7));
        ++*at;
    }
}

static inline uint32_t ecg_link_get_bits(const uint8_t *in, size_t *at, uint32_t width) {
    uint32_t value = 0;
    while (width--) {
        value = value << 1 | (in[*at >> 3] >> (7 - (*at & 7)) & 1);
        ++*at;
    }
    return value;
}

/* ---- frames ---- */

/* Encode head->samples x head->leads samples of 24 bits (all leads of a sample together) into `size` bytes.
 * Returns the frame's length, 0 where it does not fit. */
static inline size_t ecg_link_encode(const ecg_link_head *head, const int32_t *samples, uint8_t *out, size_t size) {
    uint32_t leads = head->leads, n = head->samples;
    if (leads < 1 || leads > ECG_LINK_MOST_LEADS || n < 1 || size < ECG_LINK_OVERHEAD) return 0;
    if (ecg_link_bits(samples, leads, n) > (uint64_t)(size - ECG_LINK_OVERHEAD) * 8) return 0;
    memset(out, 0, size);
    out[0] = (uint8_t)(ECG_LINK_VERSION << 4 | (leads - 1));
    out[1] = head->marked ? 1 : 0;
    out[2] = head->samples;
    out[3] = head->battery;
    ecg_link_put16(out + 4, head->boot);
    ecg_link_put16(out + 6, head->lead_off);
    ecg_link_put32(out + 8, head->sequence);
    ecg_link_put32(out + 12, head->counter);
    ecg_link_put32(out + 16, head->time_ms);
    size_t at = ECG_LINK_HEAD_BYTES * 8;
    for (uint32_t l = 0; l < leads; l++) {
        const int32_t *lead = samples + l;
        uint32_t k = 0, other_k = 0;
        uint64_t first = ecg_link_least_bits(lead, leads, n, 0, &k);
        uint32_t order = ecg_link_least_bits(lead, leads, n, 1, &other_k) < first;
        if (order) k = other_k;
        ecg_link_put_bits(out, &at, order, 1);
        ecg_link_put_bits(out, &at, k, 5);
        ecg_link_put_bits(out, &at, (uint32_t)lead[0], 24);
        for (uint32_t i = 1; i < n; i++) {
            at += ecg_link_folded(lead, leads, i, order) >> k; /* the zeros are there */
            ecg_link_put_bits(out, &at, 1, 1);
        }
        for (uint32_t i = 1; i < n; i++) ecg_link_put_bits(out, &at, ecg_link_folded(lead, leads, i, order), k);
    }
    size_t length = (at + 7) / 8;
    ecg_link_put16(out + length, ecg_link_crc(out, length));
    return length + 2;
}

/* Decode a frame of n bytes into head and at most `room` samples x leads words.
 * Returns the number of samples, or one of the negative reasons. */
static inline int ecg_link_decode(const uint8_t *bytes, size_t n_bytes, ecg_link_head *head, int32_t *samples,
                                  size_t room) {
    if (n_bytes <= ECG_LINK_OVERHEAD || n_bytes > 512) return ECG_LINK_LENGTH;
    if (bytes[0] >> 4 != ECG_LINK_VERSION) return ECG_LINK_VERSION_OTHER;
    if (ecg_link_crc(bytes, n_bytes - 2) != ecg_link_get16(bytes + n_bytes - 2)) return ECG_LINK_CRC;
    uint32_t leads = (bytes[0] & 15u) + 1, n = bytes[2];
    head->leads = (uint8_t)leads;
    head->marked = bytes[1] & 1;
    head->samples = bytes[2];
    head->battery = bytes[3] <= 100 ? bytes[3] : ECG_LINK_NO_BATTERY;
    head->boot = ecg_link_get16(bytes + 4);
    head->lead_off = ecg_link_get16(bytes + 6);
    head->sequence = ecg_link_get32(bytes + 8);
    head->counter = ecg_link_get32(bytes + 12);
    head->time_ms = ecg_link_get32(bytes + 16);
    if (n < 1 || (size_t)n * leads > room) return ECG_LINK_SAMPLES;
    size_t at = ECG_LINK_HEAD_BYTES * 8, end = (n_bytes - 2) * 8;
    for (uint32_t l = 0; l < leads; l++) {
        if (end - at < ECG_LINK_LEAD_BITS) return ECG_LINK_SAMPLES;
        uint32_t order = ecg_link_get_bits(bytes, &at, 1), k = ecg_link_get_bits(bytes, &at, 5);
        int32_t value = (int32_t)(ecg_link_get_bits(bytes, &at, 24) ^ 0x800000) - 0x800000, step = 0;
        size_t quotients = at, remainders = at;
        if (k > ECG_LINK_RESIDUAL_BITS) return ECG_LINK_SAMPLES;
        for (uint32_t ones = 0; ones < n - 1; ones += ecg_link_get_bits(bytes, &remainders, 1))
            if (remainders == end) return ECG_LINK_SAMPLES;
        if (end - remainders < (size_t)(n - 1) * k) return ECG_LINK_SAMPLES;
        samples[l] = value;
        for (uint32_t i = 1; i < n; i++) {
            uint32_t quotient = 0;
            while (!ecg_link_get_bits(bytes, &quotients, 1)) quotient++;
            if (quotient > ((1u << ECG_LINK_RESIDUAL_BITS) - 1) >> k) return ECG_LINK_SAMPLES;
            uint32_t folded = quotient << k | ecg_link_get_bits(bytes, &remainders, k);
            int32_t residual = (int32_t)(folded >> 1) ^ -(int32_t)(folded & 1);
            step = order ? step + residual : residual;
            value += step;
            if (value < -0x800000 || value > 0x7FFFFF) return ECG_LINK_SAMPLES;
            samples[(size_t)i * leads + l] = value;
        }
        at = remainders;
    }
    if (end - at >= 8) return ECG_LINK_SAMPLES;
    while (at < end)
        if (ecg_link_get_bits(bytes, &at, 1)) return ECG_LINK_SAMPLES;
    return (int)n;
}

/* ---- the info characteristic ---- */

/* Writes ECG_LINK_INFO_BYTES(info->leads) bytes and returns their number. */
static inline size_t ecg_link_info_value(const ecg_link_info *info, uint8_t *out) {
    out[0] = ECG_LINK_VERSION;
    out[1] = info->leads;
    out[2] = info->adc_bits;
    out[3] = 0;
    ecg_link_put16(out + 4, info->mtu);
    ecg_link_put32(out + 6, info->ring_frames);
    ecg_link_put32(out + 10, info->rate_mhz);
    memcpy(out + 14, info->id, 8);
    for (uint32_t l = 0; l < info->leads; l++) {
        out[22 + 5 * l] = info->names[l];
        ecg_link_put32(out + 23 + 5 * l, info->pv_per_count[l]);
    }
    return ECG_LINK_INFO_BYTES((size_t)info->leads);
}

/* ---- the device: frames in a ring, one cursor ---- */

/* `ring` has ECG_LINK_RING_BYTES(info->ring_frames, info->mtu) bytes, `collected` ECG_LINK_WORDS(max_samples,
 * info->leads) words. max_samples bounds the delay; mtu is at least 25 + (30 x leads + 7) / 8, and at least 64. */
static inline void ecg_link_init(ecg_link_device *device, const ecg_link_info *info, uint8_t *ring, int32_t *collected,
                                 uint8_t max_samples, uint16_t boot) {
    memset(device, 0, sizeof *device);
    device->battery = ECG_LINK_NO_BATTERY;
    device->info = info;
    device->ring = ring;
    device->collected = collected;
    device->max_samples = max_samples;
    device->boot = boot;
}

static inline uint32_t ecg_link_oldest(const ecg_link_device *device) {
    return device->next > device->info->ring_frames ? device->next - device->info->ring_frames : 0;
}

static inline uint8_t *ecg_link_slot(const ecg_link_device *device, uint32_t sequence) {
    return device->ring + (size_t)(sequence % device->info->ring_frames) * ECG_LINK_SLOT(device->info->mtu);
}

/* As many of the collected samples as fit become a frame; the rest stays. */
static inline void ecg_link_make_frame(ecg_link_device *device) {
    uint32_t leads = device->info->leads, room = (device->info->mtu - 3u - ECG_LINK_OVERHEAD) * 8;
    uint32_t most = room / leads - ECG_LINK_LEAD_BITS + 1; /* a residual has at least one bit */
    uint32_t n = device->n_collected < most ? device->n_collected : most, too_many = n + 1, fits = 1;
    for (; too_many - fits > 1; n = (fits + too_many) / 2) {
        if (ecg_link_bits(device->collected, leads, n) <= room) fits = n;
        else too_many = n;
    }
    n = fits;
    ecg_link_head head;
    head.leads = (uint8_t)leads;
    head.samples = (uint8_t)n;
    head.marked = device->marked;
    head.battery = device->battery;
    head.boot = device->boot;
    head.lead_off = device->lead_off_since_frame;
    head.sequence = device->next;
    head.counter = device->counter;
    head.time_ms =
        device->time_ms - (device->n_collected - 1u) * 1000000u / device->info->rate_mhz;
    uint8_t *slot = ecg_link_slot(device, device->next);
    ecg_link_put16(slot, (uint16_t)ecg_link_encode(&head, device->collected, slot + 2, device->info->mtu - 3u));
    device->next++;
    device->counter += n;
    device->n_collected = (uint8_t)(device->n_collected - n);
    memmove(device->collected, device->collected + n * leads, device->n_collected * leads * sizeof(int32_t));
    device->lead_off_since_frame = device->n_collected ? device->lead_off : 0;
    device->marked = 0;
}

/* One sample of every lead, taken at time_ms of any clock of the device. What has more than 24 bits is clipped. */
static inline void ecg_link_sample(ecg_link_device *device, const int32_t *counts, uint32_t time_ms) {
    int32_t *into = device->collected + (size_t)device->n_collected++ * device->info->leads;
    for (uint32_t l = 0; l < device->info->leads; l++)
        into[l] = counts[l] < -0x800000 ? -0x800000 : counts[l] > 0x7FFFFF ? 0x7FFFFF : counts[l];
    device->time_ms = time_ms;
    device->lead_off_since_frame |= device->lead_off;
    if (device->n_collected == device->max_samples) ecg_link_make_frame(device);
}

/* The converter's buffer overran: so many samples are lost. What was collected becomes frames at once. */
static inline void ecg_link_lost(ecg_link_device *device, uint32_t samples) {
    while (device->n_collected) ecg_link_make_frame(device);
    device->counter += samples;
}

/* Do what was written to `control`; put the indication into response (12 bytes) and return its length. */
static inline size_t ecg_link_command(ecg_link_device *device, const uint8_t *value, size_t n, uint16_t mtu,
                                      uint8_t *response) {
    uint8_t op = n ? value[0] : 0, status = ECG_LINK_OK;
    uint32_t oldest = ecg_link_oldest(device);
    if (op == ECG_LINK_START && n == 7) {
        uint32_t sequence = ecg_link_get32(value + 3);
        int held = ecg_link_get16(value + 1) == device->boot && sequence >= oldest && sequence <= device->next;
        if (mtu < device->info->mtu) status = ECG_LINK_MTU_TOO_SMALL;
        else {
            device->streaming = 1;
            device->cursor = sequence == ECG_LINK_NOW ? device->next : held ? sequence : oldest;
        }
    } else if (op == ECG_LINK_STOP && n == 1) device->streaming = 0;
    else status = op == ECG_LINK_START || op == ECG_LINK_STOP ? ECG_LINK_BAD_LENGTH : ECG_LINK_UNKNOWN_OP;
    response[0] = op;
    response[1] = status;
    ecg_link_put16(response + 2, device->boot);
    ecg_link_put32(response + 4, oldest);
    ecg_link_put32(response + 8, device->next);
    return ECG_LINK_RESPONSE_BYTES;
}

/* The frame to notify now: its length and, in *value, its bytes; 0 where there is nothing to send. Call
 * ecg_link_sent when the stack has taken it, and neither when it is full: the next call gives the same frame. */
static inline size_t ecg_link_next(ecg_link_device *device, const uint8_t **value) {
    uint32_t oldest = ecg_link_oldest(device);
    if (device->cursor < oldest) device->cursor = oldest;
    if (!device->streaming || device->cursor == device->next) return 0;
    const uint8_t *slot = ecg_link_slot(device, device->cursor);
    *value = slot + 2;
    return ecg_link_get16(slot);
}

static inline void ecg_link_sent(ecg_link_device *device) { device->cursor++; }

/* The link is gone; sampling goes on, sending waits for the next START. */
static inline void ecg_link_disconnected(ecg_link_device *device) { device->streaming = 0; }

#endif
