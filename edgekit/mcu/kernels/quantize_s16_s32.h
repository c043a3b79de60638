/* needs: requantize */
/* y = scale(x - zero) + zero_point */
struct ek_quantize_s16_s32 {
  int32_t zero, multiplier, shift, zero_point, size;
};

EK_KERNEL void ek_quantize_s16_s32(const struct ek_quantize_s16_s32 *p, const int16_t *x, int32_t *y) {
  for (int32_t i = 0; i < p->size; ++i) {
    const uint32_t scaled = (uint32_t)ek_scale(x[i] - p->zero, p->multiplier, p->shift);
    y[i] = (int32_t)(scaled + (uint32_t)p->zero_point);
  }
}
