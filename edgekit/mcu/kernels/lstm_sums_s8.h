/* One sum for each gate; the four rows share a load of x. */
EK_SHARED void ek_lstm_sums_s8(const int8_t *x, const int8_t *w, const int32_t *bias, int32_t depth, int32_t *sums) {
  const int8_t *const w1 = w + depth, *const w2 = w1 + depth, *const w3 = w2 + depth;
  int32_t sum0 = bias[0], sum1 = bias[1], sum2 = bias[2], sum3 = bias[3];
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
