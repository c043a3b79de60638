/* needs: requantize */
/* Dot products of one vector with the rows of a matrix, requantized. */
struct ek_dense_s8 {
  const int8_t *weights;      /* [outputs][depth] */
  const int32_t *bias;        /* [outputs], the input's zero point folded in */
  const int32_t *multipliers; /* [outputs] */
  const int32_t *shifts;      /* [outputs] */
  int32_t depth, zero_point, low, high;
  int32_t small; /* 1: what ek_scale_small asks for holds; 2: one rounding, as LiteRT's reference kernel */
};

EK_INLINE int8_t ek_dense_result_s8(const struct ek_dense_s8 *p, int32_t o, int32_t sum) {
  const int32_t scaled = p->small == 1   ? ek_scale_small(sum, p->multipliers[o], p->shifts[o])
                         : p->small == 2 ? ek_scale_once(sum, p->multipliers[o], p->shifts[o])
                                         : ek_scale(sum, p->multipliers[o], p->shifts[o]);
  return (int8_t)ek_clamp(scaled + p->zero_point, p->low, p->high);
}

/* y[o - first] = requantize(bias[o] + sum_d x[d] * weights[o][d]) for first <= o < end; x and y are apart. */
EK_INLINE void ek_dense_s8(const struct ek_dense_s8 *p, const int8_t *x, int8_t *y, int32_t first, int32_t end) {
  const int32_t depth = p->depth;
  const int8_t *w = p->weights + first * depth;
  int32_t o = first;
  for (; o + 4 <= end; o += 4, w += depth) { /* four rows share a load of x */
    const int8_t *const w1 = w + depth, *const w2 = w1 + depth, *const w3 = w2 + depth;
    int32_t sum = p->bias[o], sum1 = p->bias[o + 1], sum2 = p->bias[o + 2], sum3 = p->bias[o + 3];
    for (int32_t d = 0; d < depth; ++d) {
      const int32_t value = x[d];
      sum += value * w[d];
      sum1 += value * w1[d];
      sum2 += value * w2[d];
      sum3 += value * w3[d];
    }
    w = w3;
    *y++ = ek_dense_result_s8(p, o, sum);
    *y++ = ek_dense_result_s8(p, o + 1, sum1);
    *y++ = ek_dense_result_s8(p, o + 2, sum2);
    *y++ = ek_dense_result_s8(p, o + 3, sum3);
  }
  for (; o < end; ++o) {
    int32_t sum = p->bias[o];
    for (int32_t d = 0; d < depth; ++d) {
      sum += x[d] * *w++;
    }
    *y++ = ek_dense_result_s8(p, o, sum);
  }
}
