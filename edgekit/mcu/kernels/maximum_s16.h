/* needs: broadcast_s16 */
/* y = the maximum of a and b, as they are stored. */
struct ek_maximum_s16 {
  const int32_t *shape; /* [12], see broadcast */
};

EK_INLINE int32_t ek_maximum_s16_value(const void *params, int32_t a, int32_t b) {
  (void)params;
  return a > b ? a : b;
}

EK_KERNEL void ek_maximum_s16(const struct ek_maximum_s16 *p, const int16_t *a, const int16_t *b, int16_t *y) {
  ek_broadcast_s16(p->shape, ek_maximum_s16_value, p, a, b, y);
}
