/* Frames with sequence and checksum. */
#include "frame.h"

#include <stddef.h>

#include "transport.h"

enum { CHECKED = offsetof(struct ek_header, checksum) };

/* Four bits at a time: 64 bytes of table. */
static uint32_t crc32(uint32_t crc, const void *data, uint32_t count) {
  static const uint32_t TABLE[16] = {
    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
  };
  const uint8_t *at = data;
  crc = ~crc;
  for (; count > 0; --count) {
    crc ^= *at++;
    crc = (crc >> 4) ^ TABLE[crc & 15U];
    crc = (crc >> 4) ^ TABLE[crc & 15U];
  }
  return ~crc;
}

bool ek_receive(struct ek_header *header, uint32_t *checksum) {
  uint8_t *bytes = (uint8_t *)header;
  if (!ek_read(bytes, sizeof *header)) {
    return false;
  }
  while (header->magic != EK_MAGIC) {
    for (uint32_t i = 1; i < sizeof *header; ++i) {
      bytes[i - 1U] = bytes[i];
    }
    if (!ek_read(bytes + sizeof *header - 1U, 1)) {
      return false;
    }
  }
  *checksum = crc32(0, header, CHECKED);
  return true;
}

bool ek_receive_part(void *to, uint32_t count, uint32_t *checksum) {
  if (!ek_read(to, count)) {
    return false;
  }
  *checksum = crc32(*checksum, to, count);
  return true;
}

void ek_answer(const struct ek_header *request, enum ek_status status, const struct ek_part *parts, uint32_t count) {
  struct ek_header header = {
    .magic = EK_MAGIC, .sequence = request->sequence, .verb = request->verb, .status = (uint8_t)status,
  };
  for (uint32_t i = 0; i < count; ++i) {
    header.length += parts[i].size;
  }
  header.checksum = crc32(0, &header, CHECKED);
  for (uint32_t i = 0; i < count; ++i) {
    header.checksum = crc32(header.checksum, parts[i].data, parts[i].size);
  }
  ek_write(&header, sizeof header);
  for (uint32_t i = 0; i < count; ++i) {
    ek_write(parts[i].data, parts[i].size);
  }
}
