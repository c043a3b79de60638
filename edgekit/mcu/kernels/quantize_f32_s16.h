/* needs: round_f32 */
/* y = clamp(round(x / scale) + zero_point) */
struct ek_quantize_f32_s16 {
  const float *scale; /* [1] */
  int32_t zero_point, size;
};

EK_KERNEL void ek_quantize_f32_s16(const struct ek_quantize_f32_s16 *p, const float *x, int16_t *y) {
  for (int32_t i = 0; i < p->size; ++i) {
    y[i] = (int16_t)ek_quantize_f32(x[i], *p->scale, p->zero_point, -32768, 32767);
  }
}
