/* Copies items in five nested loops. loops: sizes, steps in x, steps in y, 5 each. */
struct ek_strided_copy_8 {
  const int32_t *loops; /* [15] */
  int32_t read_from, write_from;
};

EK_KERNEL void ek_strided_copy_8(const struct ek_strided_copy_8 *p, const void *x, void *y) {
  const int32_t *size = p->loops;
  const int32_t *read = p->loops + 5;
  const int32_t *write = p->loops + 10;
  for (int32_t i = 0; i < size[0]; ++i) {
    for (int32_t j = 0; j < size[1]; ++j) {
      for (int32_t k = 0; k < size[2]; ++k) {
        const uint8_t *from = (const uint8_t *)x + p->read_from + i * read[0] + j * read[1] + k * read[2];
        uint8_t *to = (uint8_t *)y + p->write_from + i * write[0] + j * write[1] + k * write[2];
        for (int32_t l = 0; l < size[3]; ++l) {
          for (int32_t m = 0; m < size[4]; ++m) {
            to[l * write[3] + m * write[4]] = from[l * read[3] + m * read[4]];
          }
        }
      }
    }
  }
}
