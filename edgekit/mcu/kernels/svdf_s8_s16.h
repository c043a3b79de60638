/* needs: requantize */
/* A singular value decomposition filter: each filter keeps its last `memory` answers to the input and weighs them;
   `rank` filters make a unit. */
struct ek_svdf_s8_s16 {
  const int8_t *feature_weights; /* [units * rank][inputs] */
  const int16_t *time_weights; /* [units * rank][memory] */
  const int32_t *feature_bias;   /* [units * rank], the input's zero point folded in */
  const int32_t *bias;           /* [units] */
  int32_t batches, inputs, units, rank, memory;
  int32_t state_multiplier, state_shift, state_zero_point;
  int32_t multiplier, shift, zero_point;
};

/* Takes the new answer of a filter into its state; gives the weighed sum over the state.
   As in TFLite, a zero point is added after the clamp, and sums wrap round. */
EK_INLINE uint32_t ek_svdf_s8_s16_filter(const struct ek_svdf_s8_s16 *p, const int8_t *x, int32_t filter,
                                         int16_t *state) {
  const int8_t *w = p->feature_weights + filter * p->inputs;
  int32_t sum = p->feature_bias[filter];
  for (int32_t i = 0; i < p->inputs; ++i) {
    sum += x[i] * w[i];
  }
  const int32_t answer = ek_clamp(ek_scale(sum, p->state_multiplier, p->state_shift), -32768, 32767);
  for (int32_t m = 1; m < p->memory; ++m) {
    state[m - 1] = state[m];
  }
  state[p->memory - 1] = (int16_t)(uint16_t)(answer + p->state_zero_point);
  uint32_t weighed = 0;
  for (int32_t m = 0; m < p->memory; ++m) {
    weighed += (uint32_t)(p->time_weights[filter * p->memory + m] * (state[m] - p->state_zero_point));
  }
  return weighed;
}

EK_KERNEL void ek_svdf_s8_s16(const struct ek_svdf_s8_s16 *p, const int8_t *x, int8_t *y, int16_t *state) {
  for (int32_t b = 0; b < p->batches; ++b) {
    for (int32_t u = 0; u < p->units; ++u) {
      uint32_t sum = (uint32_t)p->bias[u];
      for (int32_t r = 0; r < p->rank; ++r) {
        sum += ek_svdf_s8_s16_filter(p, x, u * p->rank + r, state);
        state += p->memory;
      }
      *y++ = (int8_t)ek_clamp(ek_scale((int32_t)sum, p->multiplier, p->shift) + p->zero_point, -128, 127);
    }
    x += p->inputs;
  }
}
