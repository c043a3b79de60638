/* needs: gemm_s8_dsp limit_s8_dsp window */
/* Convolution without dilation and groups. The windows of two neighbouring pixels are widened to scratch, then
   multiplied. A row of a window is read where it lies, unless a part of it is padding: then it is built in scratch. */
struct ek_conv_s8_dsp {
  struct ek_packed_dsp packed;
  struct ek_window window;
  int32_t channels, padding;
};

/* `count` bytes of `value`. */
EK_INLINE void ek_fill_dsp(int8_t *to, int32_t count, int32_t value) {
  for (; count > 0; --count) {
    *to++ = (int8_t)value;
  }
}

EK_INLINE void ek_copy_dsp(int8_t *to, const int8_t *from, int32_t count) {
  for (; count >= 4; count -= 4) {
    __builtin_memcpy(to, from, 4);
    to += 4;
    from += 4;
  }
  for (; count > 0; --count) {
    *to++ = *from++;
  }
}

/* The row of a window that begins at (row, column): where it lies, or a copy with padding in `edge`. */
EK_INLINE const int8_t *ek_window_row_dsp(const struct ek_conv_s8_dsp *p, const int8_t *x, int32_t row, int32_t column,
                                          int8_t *edge) {
  const struct ek_window *const w = &p->window;
  const int8_t *const from = x + (row * w->in_w + column) * p->channels;
  const bool is_inside = (uint32_t)row < (uint32_t)w->in_h;
  if (is_inside && (uint32_t)column <= (uint32_t)(w->in_w - w->kernel_w)) {
    return from;
  }
  ek_fill_dsp(edge, w->kernel_w * p->channels, p->padding);
  if (is_inside) {
    const int32_t first = ek_first_tap(column, 1, w->kernel_w);
    const int32_t last = ek_last_tap(column, 1, w->kernel_w, w->in_w, first);
    ek_copy_dsp(edge + first * p->channels, from + first * p->channels, (last - first) * p->channels);
  }
  return edge;
}

EK_SHARED void ek_conv_s8_dsp(const struct ek_conv_s8_dsp *p, const int8_t *x, int8_t *y, void *scratch) {
  const struct ek_window *const w = &p->window;
  const int32_t outputs = p->packed.outputs, span = w->kernel_w * p->channels;
  const bool is_direct = (span & 3) == 0;
  int16_t *const pairs = (int16_t *)scratch;
  int8_t *const edges = (int8_t *)(pairs + 2 * p->packed.depth);
  const int32_t edge_bytes = is_direct ? span : p->packed.depth;
  const int32_t pixels = w->out_h * w->out_w;
  int8_t *to = y;
  if (!is_direct) {
    ek_fill_dsp(edges, 2 * edge_bytes, 0); /* the depth is padded to a multiple of 4, with weights of 0 */
  }
  int32_t row = 0, column = 0;
  for (int32_t done = 0; done < pixels; done += 2) {
    int32_t next_row = row, next_column = column;
    if (done + 1 < pixels && ++next_column == w->out_w) {
      next_column = 0;
      ++next_row;
    }
    const int32_t row0 = row * w->stride_h - w->pad_h, column0 = column * w->stride_w - w->pad_w;
    const int32_t row1 = next_row * w->stride_h - w->pad_h, column1 = next_column * w->stride_w - w->pad_w;
    int16_t *wide = pairs;
    int8_t *edge = edges;
    for (int32_t tap = 0; tap < w->kernel_h; ++tap) {
      const int8_t *const from0 = ek_window_row_dsp(p, x, row0 + tap, column0, edge);
      const int8_t *const from1 = ek_window_row_dsp(p, x, row1 + tap, column1, edge + edge_bytes);
      if (is_direct) {
        wide = ek_widen_pair_dsp(wide, from0, from1, span / 4);
      } else {
        if (from0 != edge) {
          ek_copy_dsp(edge, from0, span);
        }
        if (from1 != edge + edge_bytes) {
          ek_copy_dsp(edge + edge_bytes, from1, span);
        }
        edge += span;
      }
    }
    if (!is_direct) {
      (void)ek_widen_pair_dsp(wide, edges, edges + edge_bytes, edge_bytes / 4);
    }
    ek_gemm_s8_dsp(pairs, &p->packed, to, done + 1 < pixels ? to + outputs : to);
    to += 2 * outputs;
    row = next_row;
    column = next_column + 1;
    if (done + 1 < pixels && column == w->out_w) {
      column = 0;
      ++row;
    }
  }
  ek_limit_s8_dsp(y, pixels * outputs, p->packed.low, p->packed.high);
}
