/* needs: gemm_s8_dsp gemv_s8_dsp limit_s8_dsp */
/* Convolution of `pixels` pixels by 1 x 1 windows, stride 1. Two pixels at a time are widened to scratch before their
   outputs are written, which may therefore lie over them. */
struct ek_pointwise_s8_dsp {
  struct ek_packed_dsp packed;
  int32_t pixels;
};

EK_SHARED void ek_pointwise_s8_dsp(const struct ek_pointwise_s8_dsp *p, const int8_t *x, int8_t *y, void *scratch) {
  const int32_t depth = p->packed.depth, outputs = p->packed.outputs;
  int16_t *const pairs = (int16_t *)scratch;
  int8_t *to = y;
  for (int32_t left = p->pixels; left > 1; left -= 2) {
    (void)ek_widen_pair_dsp(pairs, x, x + depth, depth / 4);
    ek_gemm_s8_dsp(pairs, &p->packed, to, to + outputs);
    x += 2 * depth;
    to += 2 * outputs;
  }
  if ((p->pixels & 1) != 0) {
    int8_t *const last = (int8_t *)scratch; /* outputs may lie over x */
    for (int32_t i = 0; i < depth; ++i) {
      last[i] = x[i];
    }
    ek_gemv_s8_dsp(last, &p->packed, to);
  }
  ek_limit_s8_dsp(y, p->pixels * outputs, p->packed.low, p->packed.high);
}
