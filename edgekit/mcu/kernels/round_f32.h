/* x / scale rounded to the nearest integer, halves away from zero, plus zero_point, clamped. */
EK_INLINE int32_t ek_quantize_f32(float x, float scale, int32_t zero_point, int32_t low, int32_t high) {
  const float quotient = x / scale;
  if (!(quotient > -65536.0F)) { /* also where it is no number */
    return low;
  }
  if (quotient > 65536.0F) {
    return high;
  }
  const int32_t whole = (int32_t)quotient;
  const float rest = quotient - (float)whole;
  const int32_t rounded = whole + (rest >= 0.5F ? 1 : 0) - (rest <= -0.5F ? 1 : 0) + zero_point;
  return rounded < low ? low : (rounded > high ? high : rounded);
}
