/* SHA-256 (FIPS 180-4), for reading an image back from flash. */
#include "sha256.h"

static const uint32_t K[64] = {
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotated(uint32_t x, uint32_t by) { return (x >> by) | (x << (32U - by)); }

static void block(uint32_t state[8], const uint8_t *data) {
  uint32_t w[16], s[8];
  for (uint32_t i = 0; i < 8U; ++i) {
    s[i] = state[i];
  }
  for (uint32_t i = 0; i < 64U; ++i) {
    if (i < 16U) {
      const uint8_t *at = data + 4U * i;
      w[i] = ((uint32_t)at[0] << 24) | ((uint32_t)at[1] << 16) | ((uint32_t)at[2] << 8) | (uint32_t)at[3];
    } else {
      const uint32_t a = w[(i + 1U) & 15U], b = w[(i + 14U) & 15U];
      w[i & 15U] += w[(i + 9U) & 15U] + (rotated(a, 7) ^ rotated(a, 18) ^ (a >> 3)) +
                    (rotated(b, 17) ^ rotated(b, 19) ^ (b >> 10));
    }
    const uint32_t t1 = s[7] + (rotated(s[4], 6) ^ rotated(s[4], 11) ^ rotated(s[4], 25)) +
                        ((s[4] & s[5]) ^ (~s[4] & s[6])) + K[i] + w[i & 15U];
    const uint32_t t2 = (rotated(s[0], 2) ^ rotated(s[0], 13) ^ rotated(s[0], 22)) +
                        ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
    for (uint32_t j = 7U; j > 0U; --j) {
      s[j] = s[j - 1U];
    }
    s[4] += t1;
    s[0] = t1 + t2;
  }
  for (uint32_t i = 0; i < 8U; ++i) {
    state[i] += s[i];
  }
}

void ek_sha256(const uint8_t *data, uint32_t count, uint8_t digest[32]) {
  uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  uint32_t left = count;
  for (; left >= 64U; left -= 64U, data += 64) {
    block(state, data);
  }
  uint8_t tail[128];
  const uint32_t tail_bytes = left < 56U ? 64U : 128U;
  for (uint32_t i = 0; i < tail_bytes; ++i) {
    tail[i] = i < left ? data[i] : (uint8_t)(i == left ? 0x80 : 0);
  }
  for (uint32_t i = 0; i < 4U; ++i) { /* fewer than 2^32 bits: 512 MiB */
    tail[tail_bytes - 1U - i] = (uint8_t)((count << 3) >> (8U * i));
  }
  for (uint32_t at = 0; at < tail_bytes; at += 64U) {
    block(state, tail + at);
  }
  for (uint32_t i = 0; i < 32U; ++i) {
    digest[i] = (uint8_t)(state[i / 4U] >> (24U - 8U * (i % 4U)));
  }
}
