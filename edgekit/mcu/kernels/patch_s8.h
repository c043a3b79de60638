/* needs: window copy_s8 */
/* What a window sees of `depth` channels of an image x[in_h][in_w][channels]: [kernel_h][kernel_w][depth], padded. */
EK_INLINE void ek_patch_s8(const struct ek_window *p, const int8_t *x, int32_t channels, int32_t depth,
                           int32_t begin_h, int32_t begin_w, int32_t padding, int8_t *to) {
  const int32_t first = ek_first_tap(begin_w, p->dilation_w, p->kernel_w);
  const int32_t last = ek_last_tap(begin_w, p->dilation_w, p->kernel_w, p->in_w, first);
  const bool is_row = p->dilation_w == 1 && depth == channels;
  for (int32_t tap = 0; tap < p->kernel_h; ++tap) {
    const int32_t row = begin_h + tap * p->dilation_h;
    if (row < 0 || row >= p->in_h) {
      to = ek_fill_s8(to, p->kernel_w * depth, padding);
      continue;
    }
    to = ek_fill_s8(to, first * depth, padding);
    const int8_t *from = x + (row * p->in_w + begin_w + first * p->dilation_w) * channels;
    if (is_row) {
      to = ek_copy_s8(to, from, (last - first) * depth);
    } else {
      for (int32_t i = first; i < last; ++i) {
        to = ek_copy_s8(to, from, depth);
        from += p->dilation_w * channels;
      }
    }
    to = ek_fill_s8(to, (p->kernel_w - last) * depth, padding);
  }
}
