/* needs: lstm_cell scale_wide */
/* A long short-term memory over a sequence, activations int16; hidden and cell state are kept from call to call.
   Gates: forget, input, update, output. */
struct ek_lstm_run_s16 {
  const int8_t *input_weights;     /* [cells][4][inputs] */
  const int8_t *recurrent_weights; /* [cells][4][cells] */
  const int64_t *biases;           /* [cells][2][4]: of the input's and of the recurrent sums, zero points folded in */
  const int32_t *scales;           /* [4][4]: multiplier and shift of both sums */
  struct ek_lstm_cell cell;
  int32_t batches, steps, inputs, cells;
  int32_t batch_pitch, step_pitch; /* vectors from one batch (step) to the next */
  int32_t zero_point;
};

/* One sum for each gate; the four rows share a load of x. */
EK_SHARED void ek_lstm_sums_s16(const int16_t *x, const int8_t *w, const int64_t *bias, int32_t depth, int64_t *sums) {
  const int8_t *const w1 = w + depth, *const w2 = w1 + depth, *const w3 = w2 + depth;
  int64_t sum0 = bias[0], sum1 = bias[1], sum2 = bias[2], sum3 = bias[3];
  for (int32_t d = 0; d < depth; ++d) {
    const int32_t value = x[d];
    sum0 += value * w[d];
    sum1 += value * w1[d];
    sum2 += value * w2[d];
    sum3 += value * w3[d];
  }
  sums[0] = sum0;
  sums[1] = sum1;
  sums[2] = sum2;
  sums[3] = sum3;
}

EK_INLINE void ek_lstm_step_s16(const struct ek_lstm_run_s16 *p, const int16_t *x, int16_t *y, int16_t *hidden, int16_t *cells) {
  for (int32_t c = 0; c < p->cells; ++c) {
    const int64_t *bias = p->biases + c * 8;
    int64_t given[4], kept[4];
    int32_t gates[4];
    ek_lstm_sums_s16(x, p->input_weights + c * 4 * p->inputs, bias, p->inputs, given);
    ek_lstm_sums_s16(hidden, p->recurrent_weights + c * 4 * p->cells, bias + 4, p->cells, kept);
    for (int32_t gate = 0; gate < 4; ++gate) {
      const int32_t *scales = p->scales + gate * 4;
      gates[gate] = ek_lstm_clamp(ek_lstm_clamp(ek_scale_wide(given[gate], scales[0], scales[1])) +
                                  ek_lstm_clamp(ek_scale_wide(kept[gate], scales[2], scales[3])));
    }
    y[c] = (int16_t)ek_clamp(ek_lstm_cell(&p->cell, gates, cells + c) + p->zero_point, -32768, 32767);
  }
  for (int32_t c = 0; c < p->cells; ++c) {
    hidden[c] = y[c];
  }
}

EK_INLINE void ek_lstm_run_s16(const struct ek_lstm_run_s16 *p, const int16_t *x, int16_t *y, int16_t *hidden, int16_t *cells) {
  for (int32_t b = 0; b < p->batches; ++b) {
    for (int32_t t = 0; t < p->steps; ++t) {
      const int32_t at = b * p->batch_pitch + t * p->step_pitch;
      ek_lstm_step_s16(p, x + at * p->inputs, y + at * p->cells, hidden + b * p->cells, cells + b * p->cells);
    }
  }
}
