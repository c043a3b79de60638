EK_INLINE int8_t *ek_fill_s8(int8_t *to, int32_t count, int32_t value) {
  for (int32_t i = 0; i < count; ++i) {
    to[i] = (int8_t)value;
  }
  return to + count;
}

/* From low to high addresses: `to` may lie below `from`. */
EK_INLINE int8_t *ek_copy_s8(int8_t *to, const int8_t *from, int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    to[i] = from[i];
  }
  return to + count;
}
