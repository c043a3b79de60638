/* Sigmoid and tanh of 16-bit values by straight lines between table[i] = sigmoid(i / 24) as Q0.16, i = 0 ... 255. */
struct ek_curve {
  const uint16_t *table; /* [256] */
  int32_t multiplier, shift; /* x * multiplier / 2^shift is the argument in steps of 1 / (3 * 4096) */
};

EK_INLINE int32_t ek_curve_argument(const struct ek_curve *p, int32_t x) {
  return (x * p->multiplier + ((1 << p->shift) >> 1)) >> p->shift;
}

/* As Q0.15. */
EK_SHARED int32_t ek_curve_sigmoid(const struct ek_curve *p, int32_t x) {
  const int32_t argument = ek_curve_argument(p, x);
  const uint32_t size = (uint32_t)(argument < 0 ? -argument : argument);
  const uint32_t place = size >> 9;
  uint32_t sum = UINT32_C(0x7FFF) << 10;
  if (place < 255U) {
    const uint32_t low = p->table[place];
    sum = (low << 9) + (size & 0x1FFU) * (p->table[place + 1U] - low);
  }
  sum = argument < 0 ? (UINT32_C(1) << 25) - sum + 511U : sum + 512U;
  return (int16_t)(sum >> 10);
}

/* As Q0.15: 2 sigmoid(2 x) - 1. */
EK_SHARED int32_t ek_curve_tanh(const struct ek_curve *p, int32_t x) {
  const int32_t argument = ek_curve_argument(p, x);
  const uint32_t size = (uint32_t)(argument < 0 ? -argument : argument);
  const uint32_t place = size >> 8;
  int32_t sum = 0xFFFF << 8;
  if (place < 255U) {
    const int32_t low = p->table[place];
    sum = (low << 8) + (int32_t)(size & 0xFFU) * (p->table[place + 1U] - low);
  }
  const int32_t half = INT32_C(1) << 23;
  return (argument < 0 ? half - sum + 127 : sum - half + 128) >> 8;
}
