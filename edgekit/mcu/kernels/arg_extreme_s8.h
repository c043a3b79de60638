/* y[o][i] = the first place on an axis of the largest (sign 1) or smallest (sign -1) value */
struct ek_arg_extreme_s8 {
  int32_t outer, size, inner, sign;
};

EK_KERNEL void ek_arg_extreme_s8(const struct ek_arg_extreme_s8 *p, const int8_t *x, int32_t *y) {
  for (int32_t o = 0; o < p->outer; ++o) {
    for (int32_t i = 0; i < p->inner; ++i) {
      const int8_t *from = x + o * p->size * p->inner + i;
      int32_t best = 0;
      for (int32_t s = 1; s < p->size; ++s) {
        best = (from[s * p->inner] - from[best * p->inner]) * p->sign > 0 ? s : best;
      }
      *y++ = best;
    }
  }
}
