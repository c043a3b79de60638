/* Compilers call these two for copies that they recognise; the model's library may bring better ones. */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memset(void *to, int value, size_t count);

__attribute__((weak)) void *memcpy(void *restrict to, const void *restrict from, size_t count) {
  uint8_t *out = to;
  for (const uint8_t *in = from; count > 0U; --count) {
    *out++ = *in++;
  }
  return to;
}

__attribute__((weak)) void *memset(void *to, int value, size_t count) {
  for (uint8_t *out = to; count > 0U; --count) {
    *out++ = (uint8_t)value;
  }
  return to;
}
