/* needs: lstm_cell */
/* A long short-term memory over a sequence, activations int8; hidden and cell state are kept from call to call.
   Gates: forget, input, update, output. */
struct ek_lstm_s8 {
  const int8_t *input_weights;     /* [cells][4][inputs] */
  const int8_t *recurrent_weights; /* [cells][4][cells] */
  const int32_t *biases;           /* [cells][4][2]: of the input's and of the recurrent sum, zero points folded in */
  const int32_t *scales;           /* [4][4]: multiplier and shift of both sums */
  struct ek_lstm_cell cell;
  int32_t batches, steps, inputs, cells;
  int32_t batch_pitch, step_pitch; /* vectors from one batch (step) to the next */
  int32_t zero_point;
};

EK_SHARED int32_t ek_lstm_sum_s8(const int8_t *x, const int8_t *w, int32_t sum, int32_t depth) {
  for (int32_t d = 0; d < depth; ++d) {
    sum += x[d] * w[d];
  }
  return sum;
}

EK_INLINE int32_t ek_lstm_gate_s8(const struct ek_lstm_s8 *p, int32_t cell, int32_t gate, const int8_t *x,
                                  const int8_t *hidden) {
  const int32_t row = cell * 4 + gate;
  const int32_t *scales = p->scales + gate * 4;
  const int32_t *biases = p->biases + row * 2;
  const int32_t given = ek_lstm_sum_s8(x, p->input_weights + row * p->inputs, biases[0], p->inputs);
  const int32_t kept = ek_lstm_sum_s8(hidden, p->recurrent_weights + row * p->cells, biases[1], p->cells);
  return ek_lstm_clamp(ek_lstm_clamp(ek_scale(given, scales[0], scales[1])) +
                       ek_lstm_clamp(ek_scale(kept, scales[2], scales[3])));
}

EK_INLINE void ek_lstm_step_s8(const struct ek_lstm_s8 *p, const int8_t *x, int8_t *y, int8_t *hidden, int16_t *cells) {
  for (int32_t c = 0; c < p->cells; ++c) {
    int32_t gates[4];
    for (int32_t gate = 0; gate < 4; ++gate) {
      gates[gate] = ek_lstm_gate_s8(p, c, gate, x, hidden);
    }
    y[c] = (int8_t)ek_clamp(ek_lstm_cell(&p->cell, gates, cells + c) + p->zero_point, -128, 127);
  }
  for (int32_t c = 0; c < p->cells; ++c) {
    hidden[c] = y[c];
  }
}

EK_KERNEL void ek_lstm_s8(const struct ek_lstm_s8 *p, const int8_t *x, int8_t *y, int8_t *hidden, int16_t *cells) {
  for (int32_t b = 0; b < p->batches; ++b) {
    for (int32_t t = 0; t < p->steps; ++t) {
      const int32_t at = b * p->batch_pitch + t * p->step_pitch;
      ek_lstm_step_s8(p, x + at * p->inputs, y + at * p->cells, hidden + b * p->cells, cells + b * p->cells);
    }
  }
}
