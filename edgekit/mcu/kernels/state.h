/* What a reset does with variables. */
EK_SHARED void ek_fill(uint8_t *to, uint8_t value, int32_t bytes) {
  for (int32_t i = 0; i < bytes; ++i) {
    to[i] = value;
  }
}

EK_SHARED void ek_restore(uint8_t *to, const void *initial, int32_t bytes) {
  const uint8_t *from = initial;
  for (int32_t i = 0; i < bytes; ++i) {
    to[i] = from[i];
  }
}
