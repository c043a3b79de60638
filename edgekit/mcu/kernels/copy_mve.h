#include <arm_mve.h>

/* Copies `bytes`; gives the end of what it wrote. */
EK_INLINE int8_t *ek_copy_mve(int8_t *to, const int8_t *from, int32_t bytes) {
  int8_t *const end = to + bytes;
  __asm__ volatile("wlstp.8 lr, %[bytes], 2f\n"
                   "1: vldrb.8 q0, [%[from]], #16\n\t"
                   "vstrb.8 q0, [%[to]], #16\n\t"
                   "letp lr, 1b\n"
                   "2:\n\t"
                   : [to] "+r"(to), [from] "+r"(from)
                   : [bytes] "r"(bytes)
                   : "lr", "q0", "memory");
  return end;
}

EK_INLINE void ek_fill_mve(int8_t *to, int32_t bytes, int32_t value) {
  const int8x16_t all = vdupq_n_s8((int8_t)value);
  __asm__ volatile("wlstp.8 lr, %[bytes], 2f\n"
                   "1: vstrb.8 %q[all], [%[to]], #16\n\t"
                   "letp lr, 1b\n"
                   "2:\n\t"
                   : [to] "+r"(to)
                   : [bytes] "r"(bytes), [all] "w"(all)
                   : "lr", "memory");
}
