/* needs: scale_wide */
/* Dot products of one vector with the rows of a matrix, requantized. */
struct ek_dense_s16 {
  const int8_t *weights;      /* [outputs][depth] */
  const int64_t *bias;        /* [outputs] */
  const int32_t *multipliers; /* [outputs] */
  const int32_t *shifts;      /* [outputs] */
  int32_t depth, zero_point, low, high;
  int32_t wide; /* 1: sums of more than 32 bits */
};

/* y[o - first] = requantize(bias[o] + sum_d x[d] * weights[o][d]) for first <= o < end; x and y are apart. */
EK_INLINE void ek_dense_s16(const struct ek_dense_s16 *p, const int16_t *x, int16_t *y, int32_t first, int32_t end) {
  const int8_t *w = p->weights + first * p->depth;
  for (int32_t o = first; o < end; ++o, w += p->depth) {
    int64_t sum = p->bias[o];
    for (int32_t d = 0; d < p->depth; ++d) {
      sum += x[d] * w[d];
    }
    const int32_t scaled = p->wide == 1 ? ek_scale_wide(sum, p->multipliers[o], p->shifts[o])
                                        : ek_scale((int32_t)sum, p->multipliers[o], p->shifts[o]);
    *y++ = (int16_t)ek_clamp(scaled + p->zero_point, p->low, p->high);
  }
}
