/* needs: requantize */
/* y = clamp(scale(d * d) + zero_point), d = scale1((a - zero1) << left) - scale2((b - zero2) << left) */
struct ek_squared_difference_value {
  int32_t zero1, multiplier1, right1;
  int32_t zero2, multiplier2, right2;
  int32_t left;
  int32_t multiplier, shift;
  int32_t zero_point, low, high;
};

EK_INLINE int32_t ek_squared_difference_value(const void *params, int32_t a, int32_t b) {
  const struct ek_squared_difference_value *p = params;
  const int32_t one = ek_high_mul((a - p->zero1) * (1 << p->left), p->multiplier1);
  const int32_t other = ek_high_mul((b - p->zero2) * (1 << p->left), p->multiplier2);
  const int32_t difference = ek_divide_by_pot(one, p->right1) - ek_divide_by_pot(other, p->right2);
  const int32_t scaled = ek_scale(difference * difference, p->multiplier, p->shift);
  return ek_clamp(scaled + p->zero_point, p->low, p->high);
}
