/* Fixed-point scaling as TensorFlow Lite defines it (gemmlowp, double rounding). */

/* round(x * multiplier / 2^31), halves up: equal to SaturatingRoundingDoublingHighMul for 0 <= multiplier. */
#ifdef __ARM_ARCH_6M__ /* multiplies 32 bits only: four products of halves */
EK_SHARED int32_t ek_high_mul(int32_t x, int32_t multiplier) {
  const uint32_t x_low = (uint32_t)x & 0xFFFFU, low = (uint32_t)multiplier & 0xFFFFU;
  const int32_t x_high = x >> 16, high = multiplier >> 16;
  const uint32_t bottom = x_low * low;
  const int32_t middle = x_high * (int32_t)low + (int32_t)(bottom >> 16);
  const int32_t other = (int32_t)x_low * high;
  const uint32_t rest = (uint32_t)middle << 16 | (bottom & 0xFFFFU);
  const uint32_t sum = rest + ((uint32_t)other << 16), rounded = sum + (UINT32_C(1) << 30);
  const uint32_t carries = (sum < rest ? 1U : 0U) + (rounded < sum ? 1U : 0U);
  const uint32_t top = (uint32_t)(x_high * high) + (uint32_t)(middle >> 16) + (uint32_t)(other >> 16) + carries;
  return (int32_t)(top << 1 | rounded >> 31);
}
#else
EK_INLINE int32_t ek_high_mul(int32_t x, int32_t multiplier) {
  return (int32_t)(((int64_t)x * multiplier + (INT64_C(1) << 30)) >> 31);
}
#endif

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

/* The same for |x| < 2^30 and -31 <= shift < 0. */
EK_INLINE int32_t ek_scale_small(int32_t x, int32_t multiplier, int32_t shift) {
  const int32_t high = ek_high_mul(x, multiplier);
  return (high - (high < 0 ? 1 : 0) + (int32_t)((UINT32_C(1) << -shift) >> 1)) >> -shift;
}

/* x * multiplier * 2^(shift - 31) with one rounding, halves up. */
EK_INLINE int32_t ek_scale_once(int32_t x, int32_t multiplier, int32_t shift) {
  const int32_t right = 31 - shift;
  return (int32_t)(((int64_t)x * multiplier + (INT64_C(1) << (right - 1))) >> right);
}

EK_INLINE int32_t ek_clamp(int32_t x, int32_t low, int32_t high) {
  return x < low ? low : (x > high ? high : x);
}
