/* needs: squared_difference_value broadcast_s16 */
struct ek_squared_difference_s16 {
  const int32_t *shape; /* [12], see broadcast */
  struct ek_squared_difference_value value;
};

EK_KERNEL void ek_squared_difference_s16(const struct ek_squared_difference_s16 *p, const int16_t *a,
                                           const int16_t *b, int16_t *y) {
  ek_broadcast_s16(p->shape, ek_squared_difference_value, &p->value, a, b, y);
}
