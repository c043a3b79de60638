/* needs: requantize */
/* 1 / (1 + a) for a in [0, 1), both Q0.31: three steps of Newton-Raphson from 48/17 - 32/17 d (gemmlowp). */
EK_SHARED int32_t ek_one_over_one_plus(int32_t a) {
  const int32_t half = (int32_t)(((int64_t)a + INT32_MAX + 1) / 2);
  int32_t x = 1515870810 + ek_high_mul(-1010580540, half);
  for (int32_t i = 0; i < 3; ++i) {
    const int32_t error = (INT32_C(1) << 29) - ek_high_mul(half, x);
    x += ek_high_mul(error, x) * 4;
  }
  return x > (INT32_C(1) << 30) - 1 ? INT32_MAX : x * 2;
}

/* 1 / x as Q0.31 times 2^(*zeros - 31), x > 0: (*zeros) are the leading zeros of x. */
EK_SHARED int32_t ek_reciprocal(uint32_t x, int32_t *zeros) {
  *zeros = 0;
  while ((x & UINT32_C(0x80000000)) == 0U) {
    x <<= 1;
    ++*zeros;
  }
  return ek_one_over_one_plus((int32_t)(x - UINT32_C(0x80000000)));
}
