/* SHA-256 of memory: FIPS 180-4. */
#ifndef EDGEKIT_SHA256_H
#define EDGEKIT_SHA256_H

#include <stdint.h>

void ek_sha256(const uint8_t *data, uint32_t count, uint8_t digest[32]);

#endif
