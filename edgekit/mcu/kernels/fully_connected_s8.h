/* needs: requantize */
/* y[b][o] = clamp(scale(bias[o] + sum_d x[b][d] * weights[o][d]) + zero_point) */
struct ek_fully_connected_s8 {
  const int8_t *weights;      /* [outputs][depth] */
  const int32_t *bias;        /* [outputs], the input's zero point folded in */
  const int32_t *multipliers; /* [outputs] */
  const int32_t *shifts;      /* [outputs] */
  int32_t batches, depth, outputs;
  int32_t zero_point, low, high;
};

EK_KERNEL void ek_fully_connected_s8(const struct ek_fully_connected_s8 *p, const int8_t *x, int8_t *y) {
  for (int32_t b = 0; b < p->batches; ++b) {
    const int8_t *w = p->weights;
    for (int32_t o = 0; o < p->outputs; ++o) {
      int32_t sum = p->bias[o];
      for (int32_t d = 0; d < p->depth; ++d) {
        sum += x[d] * w[d];
      }
      w += p->depth;
      const int32_t scaled = ek_scale(sum, p->multipliers[o], p->shifts[o]) + p->zero_point;
      *y++ = (int8_t)ek_clamp(scaled, p->low, p->high);
    }
    x += p->depth;
  }
}
