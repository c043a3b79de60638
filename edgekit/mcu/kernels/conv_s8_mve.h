/* needs: copy_mve matmul_s8_mve window */
/* Convolution; the rows that a window touches are kept in scratch with their padding, so that the output may lie over
   the input, and each window is gathered from there. */
struct ek_conv_s8_mve {
  struct ek_window window;
  struct ek_matmul_s8_mve matmul; /* depth in the order [kernel_h][kernel_w][channels] */
  int32_t channels, padding;
  int32_t rows, row_bytes; /* rows that one window spans; columns that the windows of a row span, in bytes */
};

/* Row `row` of the image, counted with the padding above it, into its place among the kept rows. */
EK_INLINE void ek_keep_row_mve(const struct ek_conv_s8_mve *p, const int8_t *x, int8_t *kept, int32_t row) {
  const struct ek_window *const w = &p->window;
  int8_t *const to = kept + row % p->rows * p->row_bytes;
  ek_fill_mve(to, p->row_bytes, p->padding);
  const int32_t inside = row - w->pad_h, left = w->pad_w * p->channels, bytes = w->in_w * p->channels;
  if (inside >= 0 && inside < w->in_h && left < p->row_bytes) {
    const int32_t room = p->row_bytes - left;
    (void)ek_copy_mve(to + left, x + inside * bytes, bytes < room ? bytes : room);
  }
}

/* The window whose first row is `row` and which begins `begin` bytes into its rows. */
EK_INLINE void ek_gather_mve(const struct ek_conv_s8_mve *p, const int8_t *kept, int32_t row, int32_t begin,
                             int8_t *to) {
  const struct ek_window *const w = &p->window;
  int32_t place = row % p->rows;
  for (int32_t i = 0; i < w->kernel_h; ++i) {
    const int8_t *from = kept + place * p->row_bytes + begin;
    if (w->dilation_w == 1) {
      to = ek_copy_mve(to, from, w->kernel_w * p->channels);
    } else {
      for (int32_t j = 0; j < w->kernel_w; ++j) {
        to = ek_copy_mve(to, from, p->channels);
        from += w->dilation_w * p->channels;
      }
    }
    place += w->dilation_h;
    place -= place >= p->rows ? p->rows : 0;
  }
}

EK_KERNEL void ek_conv_s8_mve(const struct ek_conv_s8_mve *p, const int8_t *x, int8_t *y, void *scratch) {
  const struct ek_window *const w = &p->window;
  int8_t *const first = (int8_t *)scratch;
  int8_t *const second = first + ((p->matmul.depth + 15) & ~15);
  int8_t *const kept = second + ((p->matmul.depth + 15) & ~15);
  bool has_first = false;
  for (int32_t b = 0; b < w->batches; ++b) {
    int32_t next = 0;
    for (int32_t row = 0; row < w->out_h * w->stride_h; row += w->stride_h) {
      for (next = next > row ? next : row; next < row + p->rows; ++next) {
        ek_keep_row_mve(p, x, kept, next);
      }
      for (int32_t column = 0; column < w->out_w; ++column) {
        ek_gather_mve(p, kept, row, column * w->stride_w * p->channels, has_first ? second : first);
        if (has_first) {
          ek_matmul_s8_mve(&p->matmul, first, second, y, y + p->matmul.outputs);
          y += 2 * p->matmul.outputs;
        }
        has_first = !has_first;
      }
    }
    x += w->in_h * w->in_w * p->channels;
  }
  if (has_first) {
    ek_matmul_s8_mve(&p->matmul, first, first, y, y);
  }
}
