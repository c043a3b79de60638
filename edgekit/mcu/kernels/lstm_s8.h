/* needs: curve_s16 requantize */
/* A long short-term memory over a sequence; hidden and cell state are kept from call to call.
   Gates: forget, input, cell, output. Activations int8, gates and cell int16. */
struct ek_lstm_s8 {
  const int8_t *input_weights;     /* [cells][4][inputs] */
  const int8_t *recurrent_weights; /* [cells][4][cells] */
  const int32_t *biases;           /* [cells][4][2]: of the input's and of the recurrent sum, zero points folded in */
  const int32_t *scales;           /* [4][4]: multiplier and shift of both sums */
  struct ek_curve gate_curve, cell_curve;
  int32_t batches, steps, inputs, cells;
  int32_t batch_pitch, step_pitch; /* vectors from one batch (step) to the next */
  int32_t forget_multiplier, forget_shift, input_multiplier, input_shift, output_multiplier, output_shift;
  int32_t cell_clip, zero_point;
};

EK_SHARED int32_t ek_lstm_sum_s8(const int8_t *x, const int8_t *w, int32_t sum, int32_t depth) {
  for (int32_t d = 0; d < depth; ++d) {
    sum += x[d] * w[d];
  }
  return sum;
}

EK_INLINE int32_t ek_lstm_clamp(int32_t x) {
  return ek_clamp(x, -32768, 32767);
}

/* The argument of a gate's activation, Q3.12. */
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

EK_INLINE int32_t ek_lstm_cell(const struct ek_lstm_s8 *p, int32_t cell, int32_t forget, int32_t input, int32_t update) {
  const int32_t kept = ek_lstm_clamp(ek_scale(forget * cell, p->forget_multiplier, p->forget_shift));
  const int32_t added = ek_lstm_clamp(ek_scale(input * update, p->input_multiplier, p->input_shift));
  return ek_clamp(kept + added, -p->cell_clip - (p->cell_clip == 32767 ? 1 : 0), p->cell_clip);
}

EK_INLINE void ek_lstm_step_s8(const struct ek_lstm_s8 *p, const int8_t *x, int8_t *y, int8_t *hidden, int16_t *cells) {
  for (int32_t c = 0; c < p->cells; ++c) {
    const int32_t forget = ek_curve_sigmoid(&p->gate_curve, ek_lstm_gate_s8(p, c, 0, x, hidden));
    const int32_t input = ek_curve_sigmoid(&p->gate_curve, ek_lstm_gate_s8(p, c, 1, x, hidden));
    const int32_t update = ek_curve_tanh(&p->gate_curve, ek_lstm_gate_s8(p, c, 2, x, hidden));
    const int32_t output = ek_curve_sigmoid(&p->gate_curve, ek_lstm_gate_s8(p, c, 3, x, hidden));
    cells[c] = (int16_t)ek_lstm_cell(p, cells[c], forget, input, update);
    const int32_t shown = output * ek_curve_tanh(&p->cell_curve, cells[c]);
    y[c] = (int8_t)ek_clamp(ek_scale(shown, p->output_multiplier, p->output_shift) + p->zero_point, -128, 127);
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
