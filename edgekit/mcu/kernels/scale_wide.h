/* needs: requantize */
/* x * multiplier / 2^shift, halves up, multiplier of 16 bits: MultiplyByQuantizedMultiplier of a 64-bit sum. */
EK_INLINE int32_t ek_scale_wide(int64_t x, int32_t multiplier, int32_t shift) {
  return (int32_t)((x * multiplier + (INT64_C(1) << (shift - 1))) >> shift);
}
