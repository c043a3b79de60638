/* needs: curve_s16 requantize */
/* What the four gates of a long short-term memory do to a cell: int16, Q0.15 behind the activations. */
struct ek_lstm_cell {
  struct ek_curve gate_curve, cell_curve;
  int32_t forget_multiplier, forget_shift, input_multiplier, input_shift, output_multiplier, output_shift;
  int32_t lowest, highest; /* the cell is clipped to this range */
};

EK_INLINE int32_t ek_lstm_clamp(int32_t x) {
  return ek_clamp(x, -32768, 32767);
}

/* gates: arguments of the activations, Q3.12: forget, input, update, output. Gives the output, scaled. */
EK_SHARED int32_t ek_lstm_cell(const struct ek_lstm_cell *p, const int32_t *gates, int16_t *cell) {
  const int32_t forget = ek_curve_sigmoid(&p->gate_curve, gates[0]);
  const int32_t input = ek_curve_sigmoid(&p->gate_curve, gates[1]);
  const int32_t update = ek_curve_tanh(&p->gate_curve, gates[2]);
  const int32_t output = ek_curve_sigmoid(&p->gate_curve, gates[3]);
  const int32_t kept = ek_lstm_clamp(ek_scale(forget * *cell, p->forget_multiplier, p->forget_shift));
  const int32_t added = ek_lstm_clamp(ek_scale(input * update, p->input_multiplier, p->input_shift));
  *cell = (int16_t)ek_clamp(kept + added, p->lowest, p->highest);
  return ek_scale(output * ek_curve_tanh(&p->cell_curve, *cell), p->output_multiplier, p->output_shift);
}
