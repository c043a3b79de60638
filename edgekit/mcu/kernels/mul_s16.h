/* needs: mul_value broadcast_s16 */
struct ek_mul_s16 {
  const int32_t *shape; /* [12], see broadcast */
  struct ek_mul_value value;
};

EK_KERNEL void ek_mul_s16(const struct ek_mul_s16 *p, const int16_t *a, const int16_t *b, int16_t *y) {
  ek_broadcast_s16(p->shape, ek_mul_value, &p->value, a, b, y);
}
