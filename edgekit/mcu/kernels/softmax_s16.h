/* needs: requantize */
/* y[r][c] = e^(x[r][c] - max of row r) / sum over the row as Q0.15, by straight lines between tabled values. */
struct ek_softmax_s16 {
  const int16_t *power;    /* [513]: e^a for a = -10 ... 0 as Q0.15 */
  const int16_t *quotient; /* [513]: 1 / (1 + a) for a = 0 ... 1 as Q0.15 */
  int32_t multiplier, shift; /* differences become steps of 10 / 65535 */
  int32_t rows, depth;
};

EK_SHARED int32_t ek_table_s16(const int16_t *table, int32_t x) {
  const int32_t bounded = x < -32768 ? -32768 : (x > 32767 ? 32767 : x);
  const int16_t *entry = table + 256 + (bounded >> 7);
  return (int16_t)(entry[0] + (((entry[1] - entry[0]) * (bounded & 127) + 64) >> 7));
}

EK_KERNEL void ek_softmax_s16(const struct ek_softmax_s16 *p, const int16_t *x, int16_t *y) {
  for (int32_t r = 0; r < p->rows; ++r) {
    int32_t max = x[0];
    for (int32_t c = 1; c < p->depth; ++c) {
      max = x[c] > max ? x[c] : max;
    }
    int32_t sum = 0;
    for (int32_t c = 0; c < p->depth; ++c) {
      y[c] = (int16_t)ek_table_s16(p->power, ek_scale(x[c] - max, p->multiplier, p->shift) + 32767);
      sum += y[c];
    }
    int32_t left = 0; /* so that the sum is 1 + a as Q1.30 */
    while ((sum << left) < (INT32_C(1) << 30)) {
      ++left;
    }
    const int32_t place = (int32_t)((((int64_t)sum << left) + (1 << 13)) >> 14) - (1 << 15) - (1 << 16);
    const int32_t inverse = ek_table_s16(p->quotient, place);
    const int32_t right = 30 - left;
    for (int32_t c = 0; c < p->depth; ++c) {
      const int32_t value = (int32_t)(((int64_t)y[c] * inverse + (1 << (right - 1))) >> right);
      y[c] = (int16_t)ek_clamp(value, 0, 32767);
    }
    x += p->depth;
    y += p->depth;
  }
}
