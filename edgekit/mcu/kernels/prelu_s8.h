/* needs: requantize broadcast_s8 */
/* y = clamp((x < 0 ? scale2(x * slope) : scale1(x)) + zero_point), x = a - zero1, slope = b - zero2 */
struct ek_prelu_s8 {
  const int32_t *shape; /* [12], see broadcast */
  int32_t zero1, zero2;
  int32_t multiplier1, shift1;
  int32_t multiplier2, shift2;
  int32_t zero_point;
};

EK_INLINE int32_t ek_prelu_s8_value(const void *params, int32_t a, int32_t b) {
  const struct ek_prelu_s8 *p = params;
  const int32_t x = a - p->zero1;
  const int32_t scaled = x < 0 ? ek_scale(x * (b - p->zero2), p->multiplier2, p->shift2)
                               : ek_scale(x, p->multiplier1, p->shift1);
  return ek_clamp(scaled + p->zero_point, -128, 127);
}

EK_KERNEL void ek_prelu_s8(const struct ek_prelu_s8 *p, const int8_t *a, const int8_t *b, int8_t *y) {
  ek_broadcast_s8(p->shape, ek_prelu_s8_value, p, a, b, y);
}
