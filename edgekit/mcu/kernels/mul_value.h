/* needs: requantize */
/* y = clamp(scale((a - zero1) * (b - zero2)) + zero_point) */
struct ek_mul_value {
  int32_t zero1, zero2;
  int32_t multiplier, shift;
  int32_t zero_point, low, high;
};

EK_INLINE int32_t ek_mul_value(const void *params, int32_t a, int32_t b) {
  const struct ek_mul_value *p = params;
  const int32_t scaled = ek_scale((a - p->zero1) * (b - p->zero2), p->multiplier, p->shift);
  return ek_clamp(scaled + p->zero_point, p->low, p->high);
}
