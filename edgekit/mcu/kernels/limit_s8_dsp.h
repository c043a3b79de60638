/* needs: requantize */
/* The fused activation of `count` values, where it is narrower than int8. */
EK_SHARED void ek_limit_s8_dsp(int8_t *y, int32_t count, int32_t low, int32_t high) {
  if (low > -128 || high < 127) {
    for (int32_t i = 0; i < count; ++i) {
      y[i] = (int8_t)ek_clamp(y[i], low, high);
    }
  }
}
