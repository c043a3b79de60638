/* y = (x - zero) * scale */
struct ek_dequantize_s16 {
  const float *scale; /* [1] */
  int32_t zero, size;
};

EK_KERNEL void ek_dequantize_s16(const struct ek_dequantize_s16 *p, const int16_t *x, float *y) {
  for (int32_t i = 0; i < p->size; ++i) {
    y[i] = *p->scale * (float)(x[i] - p->zero);
  }
}
