/* needs: bounded_f32 */
/* y = x in another type */
struct ek_cast_f32_s16 {
  int32_t size;
};

EK_KERNEL void ek_cast_f32_s16(const struct ek_cast_f32_s16 *p, const float *x, int16_t *y) {
  for (int32_t i = 0; i < p->size; ++i) {
    y[i] = (int16_t)ek_bounded_f32(x[i], -32768.0F, 32767.0F);
  }
}
