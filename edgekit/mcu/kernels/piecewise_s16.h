/* needs: requantize */
/* y = clamp((x < zero ? scale2 : scale1)(x - zero) + zero_point) */
struct ek_piecewise_s16 {
  int32_t zero, multiplier1, shift1, multiplier2, shift2;
  int32_t zero_point, low, high, size;
};

EK_KERNEL void ek_piecewise_s16(const struct ek_piecewise_s16 *p, const int16_t *x, int16_t *y) {
  for (int32_t i = 0; i < p->size; ++i) {
    const int32_t value = x[i] - p->zero;
    const int32_t scaled = value < 0 ? ek_scale(value, p->multiplier2, p->shift2)
                                     : ek_scale(value, p->multiplier1, p->shift1);
    y[i] = (int16_t)ek_clamp(scaled + p->zero_point, p->low, p->high);
  }
}
