/* Compilers call these for copies that they recognise; the model's library may bring better ones.
 *
 * The names with __aeabi are the Arm run-time ABI's (IHI 0043, 5.3.4); clang calls them. */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memset(void *to, int value, size_t count);
void __aeabi_memcpy(void *restrict to, const void *restrict from, size_t count);
void __aeabi_memset(void *to, size_t count, int value);
void __aeabi_memclr(void *to, size_t count);

#define ALIGNED(name)                                                                      \
  extern __typeof__(name) name##4 __attribute__((weak, alias(#name)));                      \
  extern __typeof__(name) name##8 __attribute__((weak, alias(#name)))

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

__attribute__((weak)) void __aeabi_memcpy(void *restrict to, const void *restrict from, size_t count) {
  (void)memcpy(to, from, count);
}

__attribute__((weak)) void __aeabi_memset(void *to, size_t count, int value) { (void)memset(to, value, count); }

__attribute__((weak)) void __aeabi_memclr(void *to, size_t count) { (void)memset(to, 0, count); }

ALIGNED(__aeabi_memcpy);
ALIGNED(__aeabi_memset);
ALIGNED(__aeabi_memclr);
