/* One sum for each gate; the four rows share a load of x. Words are loaded from any address. */
EK_INLINE uint32_t ek_word_s8_dsp(const int8_t *from) {
  uint32_t word;
  __builtin_memcpy(&word, from, 4);
  return word;
}

/* sum + four products of a word of weights with the bytes 0, 2 and 1, 3 of x as halfwords */
EK_INLINE int32_t ek_products_s8_dsp(int32_t sum, uint32_t even, uint32_t odd, uint32_t weights) {
  uint32_t pair;
  __asm__("sxtb16 %0, %1" : "=r"(pair) : "r"(weights));
  __asm__("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(even), "r"(pair));
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(weights));
  __asm__("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(odd), "r"(pair));
  return sum;
}

EK_SHARED void ek_lstm_sums_s8(const int8_t *x, const int8_t *w, const int32_t *bias, int32_t depth, int32_t *sums) {
  const int8_t *const w1 = w + depth, *const w2 = w1 + depth, *const w3 = w2 + depth;
  int32_t sum0 = bias[0], sum1 = bias[1], sum2 = bias[2], sum3 = bias[3];
  int32_t d = 0;
  for (; d + 4 <= depth; d += 4) {
    const uint32_t values = ek_word_s8_dsp(x + d);
    uint32_t even, odd;
    __asm__("sxtb16 %0, %1" : "=r"(even) : "r"(values));
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(odd) : "r"(values));
    sum0 = ek_products_s8_dsp(sum0, even, odd, ek_word_s8_dsp(w + d));
    sum1 = ek_products_s8_dsp(sum1, even, odd, ek_word_s8_dsp(w1 + d));
    sum2 = ek_products_s8_dsp(sum2, even, odd, ek_word_s8_dsp(w2 + d));
    sum3 = ek_products_s8_dsp(sum3, even, odd, ek_word_s8_dsp(w3 + d));
  }
  for (; d < depth; ++d) {
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
