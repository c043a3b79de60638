/* needs: gemm_s8_dsp limit_s8_dsp window */
/* Convolution without dilation and groups. The windows of two neighbouring pixels are widened to scratch, then
   multiplied. A window is read where it lies, unless a part of it is padding or its rows are no whole words: then it is
   put together in scratch. */
struct ek_conv_s8_dsp {
  struct ek_packed_dsp packed; /* depth: kernel_h * kernel_w * channels, rounded up to a multiple of 4 */
  struct ek_window window;
  int32_t channels, padding;
};

EK_INLINE int8_t *ek_fill_dsp(int8_t *to, int32_t count, int32_t value) {
  for (; count > 0; --count) {
    *to++ = (int8_t)value;
  }
  return to;
}

EK_INLINE int8_t *ek_copy_dsp(int8_t *to, const int8_t *from, int32_t count) {
  for (int32_t words = count >> 2; words > 0; --words) {
    __builtin_memcpy(to, from, 4);
    to += 4;
    from += 4;
  }
  for (int32_t bytes = count & 3; bytes > 0; --bytes) {
    *to++ = *from++;
  }
  return to;
}

/* The window that begins at (row, column), with padding. */
EK_SHARED void ek_padded_window_dsp(const struct ek_conv_s8_dsp *p, const int8_t *x, int32_t row, int32_t column,
                                    int8_t *to) {
  const struct ek_window *const w = &p->window;
  const int32_t channels = p->channels, span = w->kernel_w * channels;
  const int32_t first = ek_first_tap(column, 1, w->kernel_w);
  const int32_t last = ek_last_tap(column, 1, w->kernel_w, w->in_w, first);
  for (int32_t at = row; at < row + w->kernel_h; ++at) {
    const bool is_inside = at >= 0 && at < w->in_h;
    const int32_t before = is_inside ? first * channels : span;
    const int32_t inside = is_inside ? (last - first) * channels : 0;
    to = ek_fill_dsp(to, before, p->padding);
    if (inside > 0) {
      to = ek_copy_dsp(to, x + (at * w->in_w + column + first) * channels, inside);
    }
    to = ek_fill_dsp(to, span - before - inside, p->padding);
  }
}

/* Where the window that begins at (row, column) is to be read, and the bytes from each of its rows to the next one. */
EK_SHARED const int8_t *ek_window_dsp(const struct ek_conv_s8_dsp *p, const int8_t *x, int32_t row, int32_t column,
                                      int8_t *patch, int32_t *pitch) {
  const struct ek_window *const w = &p->window;
  const int32_t channels = p->channels, span = w->kernel_w * channels, in_row = w->in_w * channels;
  *pitch = span;
  if (row < 0 || row + w->kernel_h > w->in_h || column < 0 || column + w->kernel_w > w->in_w) {
    ek_padded_window_dsp(p, x, row, column, patch);
    return patch;
  }
  const int8_t *from = x + row * in_row + column * channels;
  if ((span & 3) == 0) {
    *pitch = in_row;
    return from;
  }
  int8_t *to = patch;
  for (int32_t tap = w->kernel_h; tap > 0; --tap) {
    to = ek_copy_dsp(to, from, span);
    from += in_row;
  }
  return patch;
}

EK_SHARED void ek_conv_s8_dsp(const struct ek_conv_s8_dsp *p, const int8_t *x, int8_t *y, void *scratch) {
  const struct ek_window *const w = &p->window;
  const int32_t outputs = p->packed.outputs, depth = p->packed.depth, pixels = w->out_h * w->out_w;
  const int32_t span = w->kernel_w * p->channels;
  const int32_t rows = (span & 3) == 0 ? w->kernel_h : 1; /* else all rows at once */
  const int32_t words = (span & 3) == 0 ? span / 4 : depth / 4;
  int16_t *const pairs = (int16_t *)scratch;
  int8_t *const patches = (int8_t *)(pairs + 2 * depth);
  int32_t row = -w->pad_h, column = -w->pad_w;
  const int32_t end = column + w->out_w * w->stride_w;
  int8_t *to = y;
  (void)ek_fill_dsp(patches, 2 * depth, 0);
  for (int32_t left = pixels; left > 0; left -= 2) {
    int32_t pitch0, pitch1;
    const int8_t *from0 = ek_window_dsp(p, x, row, column, patches, &pitch0);
    if (left > 1 && (column += w->stride_w) == end) {
      column = -w->pad_w;
      row += w->stride_h;
    }
    const int8_t *from1 = ek_window_dsp(p, x, row, column, patches + depth, &pitch1);
    if ((column += w->stride_w) == end) {
      column = -w->pad_w;
      row += w->stride_h;
    }
    int16_t *wide = pairs;
    for (int32_t tap = 0; tap < rows; ++tap) {
      wide = ek_widen_pair_dsp(wide, from0, from1, words);
      from0 += pitch0;
      from1 += pitch1;
    }
    ek_gemm_s8_dsp(pairs, &p->packed, to, left > 1 ? to + outputs : to); /* an odd last pixel is its own neighbour */
    to += 2 * outputs;
  }
  ek_limit_s8_dsp(y, pixels * outputs, p->packed.low, p->packed.high);
}
