/* needs: mul_value broadcast_s8 */
struct ek_mul_s8 {
  const int32_t *shape; /* [12], see broadcast */
  struct ek_mul_value value;
};

EK_KERNEL void ek_mul_s8(const struct ek_mul_s8 *p, const int8_t *a, const int8_t *b, int8_t *y) {
  ek_broadcast_s8(p->shape, ek_mul_value, &p->value, a, b, y);
}
