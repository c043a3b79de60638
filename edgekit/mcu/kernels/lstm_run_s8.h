/* needs: lstm_cell */
/* A long short-term memory over a sequence, activations int8; hidden and cell state are kept from call to call.
   Gates: forget, input, update, output. */
struct ek_lstm_run_s8 {
  const int8_t *input_weights;     /* [cells][4][inputs] */
  const int8_t *recurrent_weights; /* [cells][4][cells] */
  const int32_t *biases;           /* [cells][2][4]: of the input's and of the recurrent sums, zero points folded in */
  const int32_t *scales;           /* [4][4]: multiplier and shift of both sums */
  struct ek_lstm_cell cell;
  int32_t batches, steps, inputs, cells;
  int32_t batch_pitch, step_pitch; /* vectors from one batch (step) to the next */
  int32_t zero_point;
};

EK_INLINE void ek_lstm_step_s8(const struct ek_lstm_run_s8 *p, const int8_t *x, int8_t *y, int8_t *hidden, int16_t *cells) {
  for (int32_t c = 0; c < p->cells; ++c) {
    const int32_t *bias = p->biases + c * 8;
    int32_t given[4], kept[4];
    int32_t gates[4];
    ek_lstm_sums_s8(x, p->input_weights + c * 4 * p->inputs, bias, p->inputs, given);
    ek_lstm_sums_s8(hidden, p->recurrent_weights + c * 4 * p->cells, bias + 4, p->cells, kept);
    for (int32_t gate = 0; gate < 4; ++gate) {
      const int32_t *scales = p->scales + gate * 4;
      gates[gate] = ek_lstm_clamp(ek_lstm_clamp(ek_scale(given[gate], scales[0], scales[1])) +
                                  ek_lstm_clamp(ek_scale(kept[gate], scales[2], scales[3])));
    }
    y[c] = (int8_t)ek_clamp(ek_lstm_cell(&p->cell, gates, cells + c) + p->zero_point, -128, 127);
  }
  for (int32_t c = 0; c < p->cells; ++c) {
    hidden[c] = y[c];
  }
}

EK_INLINE void ek_lstm_run_s8(const struct ek_lstm_run_s8 *p, const int8_t *x, int8_t *y, int8_t *hidden, int16_t *cells) {
  for (int32_t b = 0; b < p->batches; ++b) {
    for (int32_t t = 0; t < p->steps; ++t) {
      const int32_t at = b * p->batch_pitch + t * p->step_pitch;
      ek_lstm_step_s8(p, x + at * p->inputs, y + at * p->cells, hidden + b * p->cells, cells + b * p->cells);
    }
  }
}
