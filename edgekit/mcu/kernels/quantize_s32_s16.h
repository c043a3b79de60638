/* needs: requantize */
/* y = clamp(scale(x - zero) + zero_point) */
struct ek_quantize_s32_s16 {
  int32_t zero, multiplier, shift, zero_point, size;
};

EK_KERNEL void ek_quantize_s32_s16(const struct ek_quantize_s32_s16 *p, const int32_t *x, int16_t *y) {
  for (int32_t i = 0; i < p->size; ++i) {
    const int32_t scaled = ek_scale(x[i] - p->zero, p->multiplier, p->shift) + p->zero_point;
    y[i] = (int16_t)ek_clamp(scaled, -32768, 32767);
  }
}
