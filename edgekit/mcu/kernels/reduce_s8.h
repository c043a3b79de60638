/* needs: requantize */
/* y[a][c][e] = scale(offset + sum_b sum_d x[a][b][c][d][e]) + zero_point */
struct ek_reduce_s8 {
  int32_t a, b, c, d, e;
  int32_t offset; /* the input's zero point times the values of a sum, negated */
  int32_t multiplier, shift, zero_point;
};

EK_KERNEL void ek_reduce_s8(const struct ek_reduce_s8 *p, const int8_t *x, int8_t *y) {
  const int32_t inner = p->d * p->e, line = p->c * inner;
  for (int32_t a = 0; a < p->a; ++a, x += p->b * line) {
    for (int32_t c = 0; c < p->c; ++c) {
      for (int32_t e = 0; e < p->e; ++e) {
        const int8_t *block = x + c * inner + e;
        int32_t sum = p->offset;
        for (int32_t b = 0; b < p->b; ++b, block += line) {
          const int8_t *from = block;
          for (int32_t d = 0; d < p->d; ++d, from += p->e) {
            sum += *from;
          }
        }
        *y++ = (int8_t)ek_clamp(ek_scale(sum, p->multiplier, p->shift) + p->zero_point, INT8_MIN, INT8_MAX);
      }
    }
  }
}
