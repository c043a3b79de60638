/* Frames, the same over every transport; device_agents/mcu/protocol.py is the host's side.
 *
 * 16 bytes, little-endian: magic u16, sequence u16, verb u8, status u8, zero u16, length u32, CRC-32 u32 over the 12
 * bytes before it and the payload (IEEE 802.3, as zlib's); then `length` bytes of payload. */
#ifndef EDGEKIT_FRAME_H
#define EDGEKIT_FRAME_H

#include <stdbool.h>
#include <stdint.h>

enum { EK_PROTOCOL = 1, EK_MAGIC = 0x4b45 };

enum ek_verb { EK_HELLO = 1, EK_INFER = 2, EK_RESET = 3, EK_PROFILE = 4 };
enum ek_status { EK_OK = 0, EK_BAD_CHECKSUM = 1, EK_BAD_LENGTH = 2, EK_BAD_VERB = 3 };

struct ek_header {
  uint16_t magic, sequence;
  uint8_t verb, status;
  uint16_t zero;
  uint32_t length, checksum;
};

struct ek_part {
  const void *data;
  uint32_t size;
};

/* The next header, after whatever does not begin with the magic number; false: the host has closed. */
bool ek_receive(struct ek_header *header, uint32_t *checksum);

/* Read a piece of the payload and go on with the checksum; false: the host has closed. */
bool ek_receive_part(void *to, uint32_t count, uint32_t *checksum);

/* Answer a frame with the parts one after the other. */
void ek_answer(const struct ek_header *request, enum ek_status status, const struct ek_part *parts, uint32_t count);

#endif
