/* needs: requantize */
/* y = clamp(scale(scale1((a - zero1) << left) + sign * scale2((b - zero2) << left)) + zero_point) */
struct ek_add_value {
  int32_t zero1, multiplier1, right1;
  int32_t zero2, multiplier2, right2;
  int32_t left, sign;
  int32_t multiplier, right;
  int32_t zero_point, low, high;
};

EK_INLINE int32_t ek_add_value(const void *params, int32_t a, int32_t b) {
  const struct ek_add_value *p = params;
  const int32_t one = ek_high_mul((a - p->zero1) * (1 << p->left), p->multiplier1);
  const int32_t other = ek_high_mul((b - p->zero2) * (1 << p->left), p->multiplier2);
  const int32_t sum = ek_divide_by_pot(one, p->right1) + p->sign * ek_divide_by_pot(other, p->right2);
  const int32_t scaled = ek_divide_by_pot(ek_high_mul(sum, p->multiplier), p->right);
  return ek_clamp(scaled + p->zero_point, p->low, p->high);
}
