/* Products of packed matrices with pixels, for cores with the DSP extension. Assembly: the inner loop keeps 8 sums and
   2 pointers in registers and needs the other 4 for operands. */
#if defined(__clang__)
#define EK_ASSEMBLY static __attribute__((naked, noinline, unused))
#else
#define EK_ASSEMBLY static __attribute__((naked, noipa, unused))
#endif
#define EK_REGISTER __attribute__((unused)) /* a parameter that assembly reads from its register */

/* Weights [outputs][depth], biases and requantization in the order in which the kernels read them, as
   edgekit/mcu/ops/_dsp/packing.py lays them out: a block for each 4 outputs; where `outputs` is no multiple of 4, the
   last block begins at outputs - 4. */
struct ek_packed_dsp {
  const int32_t *blocks;
  int32_t depth, outputs; /* depth: a multiple of 4 */
  int32_t rectified;      /* the zero point is -128: negative sums end there, however they are rounded */
  int32_t low, high;      /* fused activation */
};

/* Widen 4 * words channels of two pixels to int16: channels (c, c + 2) of pixel a and of pixel b, then (c + 1, c + 3).
   Returns the end of `to`. */
EK_ASSEMBLY int16_t *ek_widen_pair_dsp(EK_REGISTER int16_t *to, EK_REGISTER const int8_t *a, EK_REGISTER const int8_t *b,
                                       EK_REGISTER int32_t words) {
  __asm__ volatile(
      ".syntax unified\n\t"
      ".macro ek_widen\n\t"
      "ldr r12, [r1], #4\n\t"
      "ldr r7, [r2], #4\n\t"
      "sxtb16 r4, r12\n\t"
      "sxtb16 r5, r7\n\t"
      "sxtb16 r6, r12, ror #8\n\t"
      "sxtb16 r7, r7, ror #8\n\t"
      "stmia r0!, {r4-r7}\n\t"
      ".endm\n\t"
      "push {r4-r7}\n\t"
      "lsrs r3, r3, #1\n\t"
      "bcc 1f\n\t"
      "ek_widen\n"
      "1: cbz r3, 3f\n"
      "2: ek_widen\n\t"
      "ek_widen\n\t"
      "subs r3, r3, #1\n\t"
      "bne 2b\n"
      "3: pop {r4-r7}\n\t"
      "bx lr\n\t"
      ".purgem ek_widen\n\t");
}

/* y0[o], y1[o] = requantize(bias[o] + sum_c x[pixel][c] * weights[o][c]) of two pixels, x as ek_widen_pair_dsp leaves
   it. 12 instructions multiply 16 pairs. */
EK_ASSEMBLY void ek_gemm_s8_dsp(EK_REGISTER const int16_t *x, EK_REGISTER const struct ek_packed_dsp *packed,
                                EK_REGISTER int8_t *y0, EK_REGISTER int8_t *y1) {
  __asm__ volatile(
      ".syntax unified\n\t"
      ".macro ek_odd high, low\n\t" /* both become twice the sum */
      "sub \\high, \\high, \\low\n\t"
      "asr \\high, \\high, #7\n\t"
      "lsl \\low, \\low, #1\n\t"
      ".endm\n\t"
      ".macro ek_scale a, b\n\t"
      "ldmia r3!, {r0, r12, lr}\n\t" /* multiplier, half, e */
      "smmlar r1, \\a, r0, r12\n\t"
      "smmlar r2, \\b, r0, r12\n\t"
      ".endm\n\t"
      ".macro ek_sign a, b\n\t"
      "add r1, r1, \\a, asr #31\n\t"
      "add r2, r2, \\b, asr #31\n\t"
      ".endm\n\t"
      ".macro ek_shift a, b\n\t"
      "asr r1, r1, lr\n\t"
      "asr r2, r2, lr\n\t"
      "ssat \\a, #8, r1\n\t"
      "ssat \\b, #8, r2\n\t"
      ".endm\n\t"
      "push {r2-r11, lr}\n\t"
      "sub sp, sp, #24\n\t" /* [0] x, [4] its end, [8] end of y0, [12] entry, [16] rounding, [20] rest; [24] y0, [28] y1 */
      "ldmia r1, {r4-r7}\n\t"
      "add r8, r0, r5, lsl #2\n\t"
      "strd r0, r8, [sp]\n\t"
      "bic r9, r6, #3\n\t"
      "add r9, r9, r2\n\t"
      "and r6, r6, #3\n\t"
      "rsb r5, r5, #2\n\t" /* after the first pair of channels, the unrolled loop skips -(depth / 2 - 1) mod 16 */
      "and r5, r5, #30\n\t" /* steps of 48 bytes in its first round */
      "add r5, r5, r5, lsl #1\n\t"
      "adr.w r10, 2f\n\t"
      "add r10, r10, r5, lsl #3\n\t"
      "orr r10, r10, #1\n\t"
      "strd r9, r10, [sp, #8]\n\t"
      "adr.w r8, 3f\n\t"
      "cbz r7, 9f\n\t"
      "adr.w r8, 4f\n"
      "9: orr r8, r8, #1\n\t"
      "strd r8, r6, [sp, #16]\n\t"
      "mov r3, r4\n"
      "1: ldr r0, [sp]\n\t"
      "ldmia r3!, {r4-r7}\n\t"
      "ldrd r1, r2, [r0], #8\n\t"
      "ldrd r12, lr, [r3], #8\n\t"
      "smlad r9, r2, r12, r5\n\t"
      "smlad r5, r1, r12, r5\n\t"
      "sxtb16 r12, r12\n\t"
      "smlad r8, r2, r12, r4\n\t"
      "smlad r4, r1, r12, r4\n\t"
      "smlad r11, r2, lr, r7\n\t"
      "smlad r7, r1, lr, r7\n\t"
      "sxtb16 lr, lr\n\t"
      "smlad r10, r2, lr, r6\n\t"
      "smlad r6, r1, lr, r6\n\t"
      "ldr pc, [sp, #12]\n\t"
      ".p2align 2\n"
      "2:\n\t"
      ".rept 16\n\t"
      "ldrd r1, r2, [r0], #8\n\t"  /* a pair of channels of pixel 0, of pixel 1 */
      "ldrd r12, lr, [r3], #8\n\t" /* outputs 0 and 1, outputs 2 and 3: the even one in the low byte of each half */
      "smlad r5, r1, r12, r5\n\t"  /* 256 * odd + even output */
      "smlad r9, r2, r12, r9\n\t"
      "sxtb16 r12, r12\n\t"
      "smlad r4, r1, r12, r4\n\t"  /* even output */
      "smlad r8, r2, r12, r8\n\t"
      "smlad r7, r1, lr, r7\n\t"
      "smlad r11, r2, lr, r11\n\t"
      "sxtb16 lr, lr\n\t"
      "smlad r6, r1, lr, r6\n\t"
      "smlad r10, r2, lr, r10\n\t"
      ".endr\n\t"
      "ldr r12, [sp, #4]\n\t"
      "cmp r0, r12\n\t"
      "bne.w 2b\n\t"
      "ek_odd r5, r4\n\t"
      "ek_odd r9, r8\n\t"
      "ek_odd r7, r6\n\t"
      "ek_odd r11, r10\n\t"
      "ldr pc, [sp, #16]\n\t"
      ".p2align 2\n"
      "3:\n\t"
      "ek_scale r4, r8\n\t"
      "ek_sign r4, r8\n\t"
      "ek_shift r4, r8\n\t"
      "ek_scale r5, r9\n\t"
      "ek_sign r5, r9\n\t"
      "ek_shift r5, r9\n\t"
      "ek_scale r6, r10\n\t"
      "ek_sign r6, r10\n\t"
      "ek_shift r6, r10\n\t"
      "ek_scale r7, r11\n\t"
      "ek_sign r7, r11\n\t"
      "ek_shift r7, r11\n\t"
      "b 5f\n\t"
      ".p2align 2\n"
      "4:\n\t"
      "ek_scale r4, r8\n\t"
      "ek_shift r4, r8\n\t"
      "ek_scale r5, r9\n\t"
      "ek_shift r5, r9\n\t"
      "ek_scale r6, r10\n\t"
      "ek_shift r6, r10\n\t"
      "ek_scale r7, r11\n\t"
      "ek_shift r7, r11\n"
      "5: ldrd r1, r2, [sp, #24]\n\t"
      "strb r4, [r1], #1\n\t"
      "strb r5, [r1], #1\n\t"
      "strb r6, [r1], #1\n\t"
      "strb r7, [r1], #1\n\t"
      "strb r8, [r2], #1\n\t"
      "strb r9, [r2], #1\n\t"
      "strb r10, [r2], #1\n\t"
      "strb r11, [r2], #1\n\t"
      "strd r1, r2, [sp, #24]\n\t"
      "ldr r12, [sp, #8]\n\t"
      "cmp r1, r12\n\t"
      "bne.w 1b\n\t"
      "ldr r4, [sp, #20]\n\t" /* the last block begins 4 - rest outputs before */
      "cbz r4, 6f\n\t"
      "rsb r5, r4, #4\n\t"
      "sub r1, r1, r5\n\t"
      "sub r2, r2, r5\n\t"
      "strd r1, r2, [sp, #24]\n\t"
      "add r12, r1, #4\n\t"
      "str r12, [sp, #8]\n\t"
      "movs r4, #0\n\t"
      "str r4, [sp, #20]\n\t"
      "b.w 1b\n"
      "6: add sp, sp, #32\n\t"
      "pop {r4-r11, pc}\n\t"
      ".purgem ek_odd\n\t"
      ".purgem ek_scale\n\t"
      ".purgem ek_sign\n\t"
      ".purgem ek_shift\n\t");
}
