/* needs: requantize */
/* As add_s8 for inputs of the same shape. SMMULR of twice a number and a multiplier is the rounding doubling high
   multiplication; 1 taken from a negative number before a rounding shift sends halves away from zero. */
struct ek_add_s8_dsp {
  int32_t zero1, multiplier1, right1;
  int32_t zero2, multiplier2, right2;
  int32_t multiplier, right, half;    /* half: 2^(right - 1) + zero_point * 2^right */
  int32_t low, high;
  int32_t elements;
};

EK_INLINE int32_t ek_high_mul_dsp(int32_t twice, int32_t multiplier) {
  int32_t result;
  __asm__("smmulr %0, %1, %2" : "=r"(result) : "r"(twice), "r"(multiplier));
  return result;
}

/* (x - zero) * 2^20, scaled; a multiplier of one half costs no multiplication. */
EK_INLINE int32_t ek_addend_dsp(int32_t x, int32_t zero, int32_t multiplier, int32_t right) {
  if (multiplier == (INT32_C(1) << 30) && right == 0) {
    return (x - zero) * (1 << 19);
  }
  const int32_t scaled = ek_high_mul_dsp((x - zero) * (1 << 21), multiplier);
  return right == 0 ? scaled : (scaled - (scaled < 0 ? 1 : 0) + ((1 << right) >> 1)) >> right;
}

EK_KERNEL void ek_add_s8_dsp(const struct ek_add_s8_dsp *p, const int8_t *a, const int8_t *b, int8_t *y) {
  const struct ek_add_s8_dsp v = *p;
  for (int32_t i = 0; i < v.elements; ++i) {
    const int32_t sum = ek_addend_dsp(a[i], v.zero1, v.multiplier1, v.right1) +
                        ek_addend_dsp(b[i], v.zero2, v.multiplier2, v.right2);
    const int32_t scaled = ek_high_mul_dsp(sum * 2, v.multiplier);
    int32_t result = (scaled - (scaled < 0 ? 1 : 0) + v.half) >> v.right;
    __asm__("ssat %0, #8, %0" : "+r"(result));
    y[i] = (int8_t)((v.low > -128 || v.high < 127) ? ek_clamp(result, v.low, v.high) : result);
  }
}
