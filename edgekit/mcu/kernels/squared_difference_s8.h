/* needs: squared_difference_value broadcast_s8 */
struct ek_squared_difference_s8 {
  const int32_t *shape; /* [12], see broadcast */
  struct ek_squared_difference_value value;
};

EK_KERNEL void ek_squared_difference_s8(const struct ek_squared_difference_s8 *p, const int8_t *a,
                                          const int8_t *b, int8_t *y) {
  ek_broadcast_s8(p->shape, ek_squared_difference_value, &p->value, a, b, y);
}
