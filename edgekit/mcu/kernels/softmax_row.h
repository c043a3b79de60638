/* needs: reciprocal */
/* The largest of a row. */
EK_SHARED int32_t ek_row_max(const int8_t *x, int32_t depth) {
  int32_t max = x[0];
  for (int32_t c = 1; c < depth; ++c) {
    max = x[c] > max ? x[c] : max;
  }
  return max;
}

/* 1 / sum of a row's powers as Q0.31 times 2^-(*exponent): powers[d] = e^(-d scale) as Q0.31, the sum Q12.19. */
EK_SHARED int32_t ek_softmax_scale(const int32_t *powers, const int8_t *x, int32_t depth, int32_t max,
                                   int32_t *exponent) {
  uint32_t sum = 0;
  for (int32_t c = 0; c < depth; ++c) {
    sum += (uint32_t)ek_divide_by_pot(powers[max - x[c]], 12);
  }
  int32_t zeros;
  const int32_t scale = ek_reciprocal(sum, &zeros);
  *exponent = 12 - zeros;
  return scale;
}

/* power * scale / 2^exponent, rounded; 0 where the exponent leaves no bit. */
EK_INLINE int32_t ek_softmax_value(int32_t power, int32_t scale, int32_t exponent) {
  return exponent > 31 ? 0 : ek_divide_by_pot(ek_high_mul(power, scale), exponent);
}
