/* needs: requantize */
/* y = clamp(scale(x - zero) + zero_point), sums wrapping round as in TFLite */
struct ek_quantize_s32_s8 {
  int32_t zero, multiplier, shift, zero_point, size;
};

EK_KERNEL void ek_quantize_s32_s8(const struct ek_quantize_s32_s8 *p, const int32_t *x, int8_t *y) {
  for (int32_t i = 0; i < p->size; ++i) {
    const int32_t value = (int32_t)((uint32_t)x[i] - (uint32_t)p->zero);
    const uint32_t scaled = (uint32_t)ek_scale(value, p->multiplier, p->shift) + (uint32_t)p->zero_point;
    y[i] = (int8_t)ek_clamp((int32_t)scaled, -128, 127);
  }
}
