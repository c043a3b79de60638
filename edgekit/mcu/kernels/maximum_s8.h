/* needs: broadcast_s8 */
/* y = the maximum of a and b, as they are stored. */
struct ek_maximum_s8 {
  const int32_t *shape; /* [12], see broadcast */
};

EK_INLINE int32_t ek_maximum_s8_value(const void *params, int32_t a, int32_t b) {
  (void)params;
  return a > b ? a : b;
}

EK_KERNEL void ek_maximum_s8(const struct ek_maximum_s8 *p, const int8_t *a, const int8_t *b, int8_t *y) {
  ek_broadcast_s8(p->shape, ek_maximum_s8_value, p, a, b, y);
}
