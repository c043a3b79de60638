/* needs: curve_s16 */
/* y = logistic(x) as Q0.15 */
struct ek_logistic_s16 {
  struct ek_curve curve;
  int32_t size;
};

EK_KERNEL void ek_logistic_s16(const struct ek_logistic_s16 *p, const int16_t *x, int16_t *y) {
  for (int32_t i = 0; i < p->size; ++i) {
    y[i] = (int16_t)ek_curve_sigmoid(&p->curve, x[i]);
  }
}
