/* x[batches][in_h][in_w][channels] to y[batches][out_h][out_w][channels]; positions have 10 fractional bits. */
struct ek_resize_bilinear_s8 {
  int32_t batches, in_h, in_w, out_h, out_w, channels;
  int32_t scale_h, scale_w; /* input pixels for one output pixel */
  int32_t begin_h, begin_w; /* position of the first output pixel */
};

struct ek_between {
  int32_t low, high, weight_low, weight_high;
};

EK_INLINE struct ek_between ek_between(int32_t position, int32_t size) {
  const int32_t low = position / 1024, high = (position + 1023) / 1024;
  struct ek_between two;
  two.low = low < 0 ? 0 : low;
  two.high = high < size - 1 ? high : size - 1;
  two.weight_high = position - 1024 * two.low;
  two.weight_low = 1024 - two.weight_high;
  return two;
}

EK_KERNEL void ek_resize_bilinear_s8(const struct ek_resize_bilinear_s8 *p, const int8_t *x, int8_t *y) {
  const int32_t pitch = p->in_w * p->channels;
  for (int32_t b = 0; b < p->batches; ++b, x += p->in_h * pitch) {
    for (int32_t row = 0; row < p->out_h; ++row) {
      const struct ek_between v = ek_between(p->begin_h + row * p->scale_h, p->in_h);
      const int8_t *const above = x + v.low * pitch, *const below = x + v.high * pitch;
      for (int32_t column = 0; column < p->out_w; ++column) {
        const struct ek_between h = ek_between(p->begin_w + column * p->scale_w, p->in_w);
        const int32_t left = h.low * p->channels, right = h.high * p->channels;
        for (int32_t c = 0; c < p->channels; ++c) {
          const int32_t upper = above[left + c] * h.weight_low + above[right + c] * h.weight_high;
          const int32_t lower = below[left + c] * h.weight_low + below[right + c] * h.weight_high;
          const int32_t sum = upper * v.weight_low + lower * v.weight_high;
          *y++ = (int8_t)((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20));
        }
      }
    }
  }
}
