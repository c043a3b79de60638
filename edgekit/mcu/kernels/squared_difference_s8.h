/* needs: requantize broadcast_s8 */
/* y = clamp(scale(d * d) + zero_point), d = scale1((a - zero1) << left) - scale2((b - zero2) << left) */
struct ek_squared_difference_s8 {
  const int32_t *shape; /* [12], see broadcast */
  int32_t zero1, multiplier1, right1;
  int32_t zero2, multiplier2, right2;
  int32_t left;
  int32_t multiplier, shift;
  int32_t zero_point;
};

EK_INLINE int32_t ek_squared_difference_s8_value(const void *params, int32_t a, int32_t b) {
  const struct ek_squared_difference_s8 *p = params;
  const int32_t one = ek_high_mul((a - p->zero1) * (1 << p->left), p->multiplier1);
  const int32_t other = ek_high_mul((b - p->zero2) * (1 << p->left), p->multiplier2);
  const int32_t difference = ek_divide_by_pot(one, p->right1) - ek_divide_by_pot(other, p->right2);
  const int32_t scaled = ek_scale(difference * difference, p->multiplier, p->shift);
  return ek_clamp(scaled + p->zero_point, -128, 127);
}

EK_KERNEL void ek_squared_difference_s8(const struct ek_squared_difference_s8 *p, const int8_t *a, const int8_t *b,
                                        int8_t *y) {
  ek_broadcast_s8(p->shape, ek_squared_difference_s8_value, p, a, b, y);
}
