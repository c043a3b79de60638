/* needs: gemm_s8_dsp limit_s8_dsp */
/* Depthwise convolution by 3 x 3 windows, stride 1 or 2, one channel after the other: a strip of rows of the channel is
   gathered into scratch as int16, with its padding, and convolved from there. Wide images are cut into tiles of
   columns. */
#define EK_PLANE_PITCH "132" /* bytes from row to row of scratch */
#define EK_PLANE_COLUMNS 66

struct ek_depthwise_3x3_s8_dsp {
  const int32_t *packed; /* [channels][7]: rows of the kernel (k0, k1, k1, k2), half, e, bias, multiplier; kernel and
                            bias negated */
  int32_t in_h, in_w, out_h, out_w, channels, stride, pad_h, pad_w;
  int32_t strip;     /* rows of output that are computed from scratch at once */
  int32_t tile;      /* columns of output, likewise */
  int32_t rectified; /* as in ek_packed_dsp */
  int32_t padding, low, high;
};

struct ek_strip_dsp {
  int32_t pair_bytes, single_bytes; /* of a row of scratch that give two outputs and one output at a time */
  int32_t skip;                     /* bytes from their end to the next row */
  int32_t rows, channels;           /* of output; bytes from pixel to pixel */
  int32_t out_skip;                 /* bytes of output from the end of a row of the tile to the next one */
  int32_t top, bottom;              /* the rows of scratch that lie in the image */
  int32_t left, width;              /* the columns, likewise */
};

/* Rows of one channel, bytes `channels` apart and `skip` from the end of a row to the next one, to rows of scratch. */
EK_ASSEMBLY void ek_gather_dsp(EK_REGISTER int16_t *to, EK_REGISTER const int8_t *x, EK_REGISTER int32_t channels,
                               EK_REGISTER int32_t width, EK_REGISTER int32_t rows, EK_REGISTER int32_t skip) {
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r4-r11}\n\t"
      "ldrd r5, r11, [sp, #32]\n\t"
      "add r4, r2, r2, lsl #1\n"
      "1: mov r12, r0\n\t"
      "lsrs r6, r3, #2\n\t"
      "beq 3f\n"
      "2: ldrsb r7, [r1]\n\t"
      "ldrsb r8, [r1, r2]\n\t"
      "ldrsb r9, [r1, r2, lsl #1]\n\t"
      "ldrsb r10, [r1, r4]\n\t"
      "add r1, r1, r2, lsl #2\n\t"
      "strh r7, [r0], #2\n\t"
      "strh r8, [r0], #2\n\t"
      "strh r9, [r0], #2\n\t"
      "strh r10, [r0], #2\n\t"
      "subs r6, r6, #1\n\t"
      "bne 2b\n"
      "3: lsls r6, r3, #31\n\t" /* carry: a pair is left; sign: one is left */
      "bcc 4f\n\t"
      "ldrsb r7, [r1]\n\t"
      "ldrsb r8, [r1, r2]\n\t"
      "add r1, r1, r2, lsl #1\n\t"
      "strh r7, [r0], #2\n\t"
      "strh r8, [r0], #2\n"
      "4: bpl 5f\n\t"
      "ldrsb r7, [r1]\n\t"
      "add r1, r1, r2\n\t"
      "strh r7, [r0]\n"
      "5: add r0, r12, #" EK_PLANE_PITCH "\n\t"
      "add r1, r1, r11\n\t"
      "subs r5, r5, #1\n\t"
      "bne 1b\n\t"
      "pop {r4-r11}\n\t"
      "bx lr\n\t");
}

/* Fill `rows` > 0 rows of scratch. */
EK_ASSEMBLY void ek_fill_rows_dsp(EK_REGISTER int16_t *to, EK_REGISTER int32_t rows, EK_REGISTER int32_t value) {
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r4-r11, lr}\n\t"
      "pkhbt r2, r2, r2, lsl #16\n\t"
      ".irp to, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12, lr\n\t"
      "mov \\to, r2\n\t"
      ".endr\n"
      "1: stmia r0!, {r3-r12, lr}\n\t"
      "stmia r0!, {r3-r12, lr}\n\t"
      "stmia r0!, {r3-r12, lr}\n\t"
      "subs r1, r1, #1\n\t"
      "bne 1b\n\t"
      "pop {r4-r11, pc}\n\t");
}

/* Move two rows of scratch upwards. */
EK_ASSEMBLY void ek_keep_rows_dsp(EK_REGISTER int16_t *to, EK_REGISTER const int16_t *from) {
  __asm__ volatile(
      ".syntax unified\n\t"
      "push {r4-r11, lr}\n\t"
      ".rept 6\n\t"
      "ldmia r1!, {r3-r12, lr}\n\t"
      "stmia r0!, {r3-r12, lr}\n\t"
      ".endr\n\t"
      "pop {r4-r11, pc}\n\t");
}

/* The outputs of one channel for a strip; SIGN: what is done for the sign of a sum. */
#define EK_STRIP(NAME, SIGN)                                                                                         \
  EK_ASSEMBLY void NAME(EK_REGISTER const int16_t *plane, EK_REGISTER int8_t *y, EK_REGISTER const int32_t *packed, \
                        EK_REGISTER const struct ek_strip_dsp *strip) {                                              \
    __asm__ volatile(                                                                                                \
        ".syntax unified\n\t"                                                                                        \
        ".macro ek_finish sum\n\t"                                                                                   \
        "lsls \\sum, \\sum, #1\n\t"                                                                                  \
        "smmlsr \\sum, \\sum, lr, r2\n\t"                                                                            \
        SIGN                                                                                                         \
        "asr \\sum, \\sum, r3\n\t"                                                                                   \
        "ssat \\sum, #8, \\sum\n\t"                                                                                  \
        ".endm\n\t"                                                                                                  \
        "push {r4-r11, lr}\n\t"                                                                                      \
        "sub sp, sp, #44\n\t"                                                                                        \
        "ldmia r3, {r4-r9}\n\t"                                                                                      \
        "strd r4, r5, [sp, #24]\n\t"                                                                                 \
        "strd r6, r7, [sp, #32]\n\t"                                                                                 \
        "str r8, [sp, #8]\n\t"                                                                                       \
        "str r8, [sp, #16]\n\t"                                                                                      \
        "str r9, [sp, #40]\n\t"                                                                                      \
        "ldmia r2!, {r10-r12}\n\t"                                                                                   \
        "sxtb16 r4, r10\n\t"                                                                                         \
        "sxtb16 r5, r10, ror #8\n\t"                                                                                 \
        "sxtb16 r6, r11\n\t"                                                                                         \
        "sxtb16 r7, r11, ror #8\n\t"                                                                                 \
        "sxtb16 r8, r12\n\t"                                                                                         \
        "sxtb16 r9, r12, ror #8\n\t"                                                                                 \
        "ldmia r2, {r10-r12, lr}\n\t"                                                                                \
        "strd r10, r11, [sp]\n\t"                                                                                    \
        "1: ldrd r2, r3, [sp, #24]\n\t"                                                                              \
        "add r2, r2, r0\n\t"                                                                                         \
        "add r3, r3, r2\n\t"                                                                                         \
        "str r2, [sp, #12]\n\t"                                                                                      \
        "str r3, [sp, #20]\n\t"                                                                                      \
        "cmp r0, r2\n\t"                                                                                             \
        "beq 3f\n\t"                                                                                                 \
        "2: ldrd r2, r3, [r0], #4\n\t"                                                                               \
        "smlatb r11, r2, r4, r12\n\t"                                                                                \
        "smlad r10, r2, r4, r12\n\t"                                                                                 \
        "smlad r11, r3, r5, r11\n\t"                                                                                 \
        "smlabt r10, r3, r5, r10\n\t"                                                                                \
        "ldrd r2, r3, [r0, #" EK_PLANE_PITCH " - 4]\n\t"                                                             \
        "smlatb r11, r2, r6, r11\n\t"                                                                                \
        "smlad r10, r2, r6, r10\n\t"                                                                                 \
        "smlad r11, r3, r7, r11\n\t"                                                                                 \
        "smlabt r10, r3, r7, r10\n\t"                                                                                \
        "ldrd r2, r3, [r0, #2 * " EK_PLANE_PITCH " - 4]\n\t"                                                         \
        "smlatb r11, r2, r8, r11\n\t"                                                                                \
        "smlad r10, r2, r8, r10\n\t"                                                                                 \
        "smlad r11, r3, r9, r11\n\t"                                                                                 \
        "smlabt r10, r3, r9, r10\n\t"                                                                                \
        "ldrd r2, r3, [sp]\n\t"                                                                                      \
        "ek_finish r10\n\t"                                                                                          \
        "ek_finish r11\n\t"                                                                                          \
        "ldrd r2, r3, [sp, #8]\n\t"                                                                                  \
        "strb r10, [r1]\n\t"                                                                                         \
        "strb r11, [r1, r2]\n\t"                                                                                     \
        "add r1, r1, r2, lsl #1\n\t"                                                                                 \
        "cmp r0, r3\n\t"                                                                                             \
        "bne 2b\n\t"                                                                                                 \
        "3: ldr r3, [sp, #20]\n\t"                                                                                   \
        "cmp r0, r3\n\t"                                                                                             \
        "beq 5f\n\t"                                                                                                 \
        "4: ldrd r2, r3, [r0], #4\n\t"                                                                               \
        "smlad r10, r2, r4, r12\n\t"                                                                                 \
        "smlabt r10, r3, r5, r10\n\t"                                                                                \
        "ldrd r2, r3, [r0, #" EK_PLANE_PITCH " - 4]\n\t"                                                             \
        "smlad r10, r2, r6, r10\n\t"                                                                                 \
        "smlabt r10, r3, r7, r10\n\t"                                                                                \
        "ldrd r2, r3, [r0, #2 * " EK_PLANE_PITCH " - 4]\n\t"                                                         \
        "smlad r10, r2, r8, r10\n\t"                                                                                 \
        "smlabt r10, r3, r9, r10\n\t"                                                                                \
        "ldrd r2, r3, [sp]\n\t"                                                                                      \
        "ek_finish r10\n\t"                                                                                          \
        "ldrd r2, r3, [sp, #16]\n\t"                                                                                 \
        "strb r10, [r1]\n\t"                                                                                         \
        "add r1, r1, r2\n\t"                                                                                         \
        "cmp r0, r3\n\t"                                                                                             \
        "bne 4b\n\t"                                                                                                 \
        "5: ldrd r2, r3, [sp, #32]\n\t"                                                                              \
        "add r0, r0, r2\n\t"                                                                                         \
        "ldr r2, [sp, #40]\n\t"                                                                                      \
        "add r1, r1, r2\n\t"                                                                                         \
        "subs r3, r3, #1\n\t"                                                                                        \
        "str r3, [sp, #36]\n\t"                                                                                      \
        "bne 1b\n\t"                                                                                                 \
        "add sp, sp, #44\n\t"                                                                                        \
        "pop {r4-r11, pc}\n\t"                                                                                       \
        ".purgem ek_finish\n\t");                                                                                    \
  }

/* [sp + 0] half, [4] e, [8] channels, [12] end of pairs, [16] channels, [20] end of row, [24] pair_bytes,
   [28] single_bytes, [32] skip, [36] rows, [40] out_skip. The carry of twice a negated sum is set where the sum is above 0. */
EK_STRIP(ek_strip_3x3_dsp, "sbc \\sum, \\sum, #0\n\t")
EK_STRIP(ek_strip_3x3_rectified_dsp, "")

/* The tile from output column `column`: its columns, and how rows follow each other. */
EK_INLINE void ek_set_tile_dsp(const struct ek_depthwise_3x3_s8_dsp *p, struct ek_strip_dsp *strip, int32_t column) {
  const int32_t rest = p->out_w - column, columns = rest < p->tile ? rest : p->tile;
  const int32_t begin = column * p->stride - p->pad_w, end = begin + (columns - 1) * p->stride + 3;
  const int32_t pairs = p->stride == 1 ? columns / 2 : 0;
  strip->pair_bytes = 4 * pairs;
  strip->single_bytes = 4 * (columns - 2 * pairs);
  strip->skip = 2 * p->stride * EK_PLANE_COLUMNS - strip->pair_bytes - strip->single_bytes;
  strip->out_skip = (p->out_w - columns) * p->channels;
  strip->left = begin < 0 ? -begin : 0;
  strip->width = (end < p->in_w ? end : p->in_w) - begin - strip->left;
}

/* The strip from output row `row`, of which `kept` rows are in scratch already. */
EK_INLINE void ek_set_strip_dsp(const struct ek_depthwise_3x3_s8_dsp *p, struct ek_strip_dsp *strip, int32_t row,
                                int32_t kept) {
  const int32_t left = p->out_h - row, first = row * p->stride - p->pad_h;
  strip->rows = left < p->strip ? left : p->strip;
  const int32_t need = (strip->rows - 1) * p->stride + 3, inside = p->in_h - first;
  strip->top = kept > -first ? kept : -first;
  strip->bottom = inside < need ? inside : need;
}

/* One channel of a strip of a tile; `from`: where in x the first row and column of scratch are, which may be padding. */
EK_INLINE void ek_run_strip_dsp(const struct ek_depthwise_3x3_s8_dsp *p, const struct ek_strip_dsp *strip,
                                int16_t *plane, const int8_t *x, int32_t from, int8_t *y, const int32_t *packed,
                                int32_t kept) {
  if (p->strip < p->out_h) { /* else the padding is there since the first channel */
    const int32_t need = (strip->rows - 1) * p->stride + 3;
    if (strip->top > kept) {
      ek_fill_rows_dsp(plane + kept * EK_PLANE_COLUMNS, strip->top - kept, p->padding);
    }
    if (need > strip->bottom) {
      ek_fill_rows_dsp(plane + strip->bottom * EK_PLANE_COLUMNS, need - strip->bottom, p->padding);
    }
  }
  if (strip->bottom > strip->top && strip->width > 0) {
    ek_gather_dsp(plane + strip->top * EK_PLANE_COLUMNS + strip->left,
                  x + from + (strip->top * p->in_w + strip->left) * p->channels, p->channels, strip->width,
                  strip->bottom - strip->top, (p->in_w - strip->width) * p->channels);
  }
  if (p->rectified != 0) {
    ek_strip_3x3_rectified_dsp(plane, y, packed, strip);
  } else {
    ek_strip_3x3_dsp(plane, y, packed, strip);
  }
}

/* A tile, channel by channel, for stride 1: the output may lie in place; rows of input that two strips need are kept,
   since the output may be over them. */
EK_INLINE void ek_tile_by_channel_dsp(const struct ek_depthwise_3x3_s8_dsp *p, struct ek_strip_dsp *strip,
                                      int16_t *plane, const int8_t *x, int32_t from, int8_t *y) {
  for (int32_t c = 0; c < p->channels; ++c) {
    for (int32_t row = 0; row < p->out_h; row += p->strip) {
      const int32_t kept = row > 0 ? 2 : 0;
      if (row > 0) {
        ek_keep_rows_dsp(plane, plane + p->strip * EK_PLANE_COLUMNS);
      }
      ek_set_strip_dsp(p, strip, row, kept);
      ek_run_strip_dsp(p, strip, plane, x, from + row * p->in_w * p->channels + c,
                       y + row * p->out_w * p->channels + c, p->packed + 7 * c, kept);
    }
  }
}

/* A tile, strip by strip: the output may lie a strip below the input. */
EK_INLINE void ek_tile_by_strip_dsp(const struct ek_depthwise_3x3_s8_dsp *p, struct ek_strip_dsp *strip, int16_t *plane,
                                    const int8_t *x, int32_t from, int8_t *y) {
  for (int32_t row = 0; row < p->out_h; row += p->strip) {
    const int32_t begin = from + row * p->stride * p->in_w * p->channels;
    ek_set_strip_dsp(p, strip, row, 0);
    for (int32_t c = 0; c < p->channels; ++c) {
      ek_run_strip_dsp(p, strip, plane, x, begin + c, y + row * p->out_w * p->channels + c, p->packed + 7 * c, 0);
    }
  }
}

EK_SHARED void ek_depthwise_3x3_s8_dsp(const struct ek_depthwise_3x3_s8_dsp *p, const int8_t *x, int8_t *y,
                                       void *scratch) {
  int16_t *const plane = (int16_t *)scratch;
  struct ek_strip_dsp strip;
  strip.channels = p->channels;
  for (int32_t column = 0; column < p->out_w; column += p->tile) {
    const int32_t from = (column * p->stride - p->pad_w - p->pad_h * p->in_w) * p->channels;
    int8_t *const to = y + column * p->channels;
    ek_set_tile_dsp(p, &strip, column);
    ek_fill_rows_dsp(plane, (p->strip - 1) * p->stride + 3, p->padding);
    if (p->stride == 1 && p->strip < p->out_h) {
      ek_tile_by_channel_dsp(p, &strip, plane, x, from, to);
    } else {
      ek_tile_by_strip_dsp(p, &strip, plane, x, from, to);
    }
  }
  ek_limit_s8_dsp(y, p->out_h * p->out_w * p->channels, p->low, p->high);
}
