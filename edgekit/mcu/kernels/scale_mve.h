#include <arm_mve.h>

/* Four times x * multiplier * 2^(shift - 31) with double rounding, shift <= 0. VRSHL rounds halves up; `ties` sets those
   below zero right, which results that are clamped to what 0 gives or more do not need. */
EK_INLINE int32x4_t ek_scale_mve(int32x4_t x, int32x4_t multiplier, int32x4_t shift, bool ties) {
  x = vqrdmulhq_s32(x, multiplier);
  if (ties) {
    x = vaddq_s32(x, vshrq_n_s32(vandq_s32(x, shift), 31));
  }
  return vrshlq_s32(x, shift);
}

/* The same with one factor for all. */
EK_INLINE int32x4_t ek_scale_all_mve(int32x4_t x, int32_t multiplier, int32_t shift, bool ties) {
  x = vqrdmulhq_n_s32(x, multiplier);
  if (ties) {
    x = vmlaq_n_s32(x, vshrq_n_s32(x, 31), shift < 0 ? 1 : 0);
  }
  return vrshlq_n_s32(x, shift);
}
