/* needs: gemv_s8_dsp limit_s8_dsp */
/* y[b][o] = requantize(bias[o] + sum_d x[b][d] * weights[o][d]), without scratch. */
struct ek_fully_connected_s8_dsp {
  struct ek_packed_dsp packed;
  int32_t batches;
};

EK_SHARED void ek_fully_connected_s8_dsp(const struct ek_fully_connected_s8_dsp *p, const int8_t *x, int8_t *y) {
  for (int32_t b = 0; b < p->batches; ++b) {
    ek_gemv_s8_dsp(x + b * p->packed.depth, &p->packed, y + b * p->packed.outputs);
  }
  ek_limit_s8_dsp(y, p->batches * p->packed.outputs, p->packed.low, p->packed.high);
}
