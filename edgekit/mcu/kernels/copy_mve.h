#include <arm_mve.h>

/* Copies `bytes`; gives the end of what it wrote. */
EK_INLINE int8_t *ek_copy_mve(int8_t *to, const int8_t *from, int32_t bytes) {
  for (; bytes >= 16; bytes -= 16) {
    vstrbq_s8(to, vldrbq_s8(from));
    to += 16;
    from += 16;
  }
  if (bytes > 0) {
    const mve_pred16_t some = vctp8q((uint32_t)bytes);
    vstrbq_p_s8(to, vldrbq_z_s8(from, some), some);
    to += bytes;
  }
  return to;
}

EK_INLINE void ek_fill_mve(int8_t *to, int32_t bytes, int32_t value) {
  const int8x16_t all = vdupq_n_s8((int8_t)value);
  for (; bytes >= 16; bytes -= 16) {
    vstrbq_s8(to, all);
    to += 16;
  }
  if (bytes > 0) {
    vstrbq_p_s8(to, all, vctp8q((uint32_t)bytes));
  }
}
