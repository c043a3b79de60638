/* Fixed-point scaling as TensorFlow Lite defines it (gemmlowp, double rounding). */

/* round(x * multiplier / 2^31), 0 <= multiplier: equal to SaturatingRoundingDoublingHighMul. */
EK_INLINE int32_t ek_high_mul(int32_t x, int32_t multiplier) {
  return (int32_t)(((int64_t)x * multiplier + (INT64_C(1) << 30)) >> 31);
}

/* round(x / 2^exponent), ties away from zero: RoundingDivideByPOT. 0 <= exponent <= 31. */
EK_INLINE int32_t ek_divide_by_pot(int32_t x, int32_t exponent) {
  const int32_t mask = (int32_t)((UINT32_C(1) << exponent) - 1U);
  const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + ((x & mask) > threshold ? 1 : 0);
}

/* x * multiplier * 2^(shift - 31): MultiplyByQuantizedMultiplier. */
EK_INLINE int32_t ek_scale(int32_t x, int32_t multiplier, int32_t shift) {
  const int32_t left = shift > 0 ? shift : 0;
  const int32_t right = shift > 0 ? 0 : -shift;
  return ek_divide_by_pot(ek_high_mul((int32_t)((uint32_t)x << left), multiplier), right);
}

EK_INLINE int32_t ek_clamp(int32_t x, int32_t low, int32_t high) {
  return x < low ? low : (x > high ? high : x);
}
