/* needs: bounded_f32 */
/* y = x in another type */
struct ek_cast_f32_s8 {
  int32_t size;
};

EK_KERNEL void ek_cast_f32_s8(const struct ek_cast_f32_s8 *p, const float *x, int8_t *y) {
  for (int32_t i = 0; i < p->size; ++i) {
    y[i] = (int8_t)ek_bounded_f32(x[i], -128.0F, 127.0F);
  }
}
