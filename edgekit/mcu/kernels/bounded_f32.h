/* x within a range, its lower end where x is no number: what C converts to an integer without undefined behaviour. */
EK_INLINE float ek_bounded_f32(float x, float low, float high) {
  return x >= low ? (x <= high ? x : high) : low;
}
