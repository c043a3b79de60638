/* needs: reciprocal broadcast_s8 */
/* y = clamp(scale((a - zero1) / (b - zero2)) + zero_point): TFLite's integer division, a reciprocal and two scalings.
   Where the last one shifts by more than 31, which C++ leaves open, the quotient is 0. */
struct ek_div_s8 {
  const int32_t *shape; /* [12], see broadcast */
  int32_t zero1, zero2;
  int32_t multiplier, shift;
  int32_t zero_point, low, high;
};

/* How far x can be shifted to the left without a change of sign: gcc's clrsb. */
EK_INLINE int32_t ek_sign_bits(int32_t x) {
  uint32_t bits = (uint32_t)(x < 0 ? ~x : x);
  int32_t count = 31;
  while (bits != 0U) {
    bits >>= 1;
    --count;
  }
  return count;
}

EK_INLINE int32_t ek_div_s8_value(const void *params, int32_t a, int32_t b) {
  const struct ek_div_s8 *p = params;
  if (b == p->zero2) { /* TFLite defines no result: the end of the range that the sign points to */
    return a == p->zero1 ? ek_clamp(p->zero_point, p->low, p->high) : (a < p->zero1 ? p->low : p->high);
  }
  const int32_t sign = b < p->zero2 ? -1 : 1;
  const int32_t dividend = (a - p->zero1) * sign;
  int32_t zeros;
  const int32_t inverse = ek_reciprocal((uint32_t)((b - p->zero2) * sign), &zeros);
  const int32_t headroom = ek_sign_bits(dividend);
  const int32_t quotient = ek_high_mul((int32_t)((uint32_t)dividend << headroom), inverse);
  const int32_t right = 31 - zeros + headroom - p->shift;
  const int32_t scaled = right > 31 ? 0 : ek_divide_by_pot(ek_high_mul(quotient, p->multiplier), right);
  return ek_clamp(scaled + p->zero_point, p->low, p->high);
}

EK_KERNEL void ek_div_s8(const struct ek_div_s8 *p, const int8_t *a, const int8_t *b, int8_t *y) {
  ek_broadcast_s8(p->shape, ek_div_s8_value, p, a, b, y);
}
