/* From reset to main: vector table, floating point and vector unit, .data and .bss. No libc. */
#include <stdint.h>

#include "transport.h"

extern uint32_t __stack_top[], __data_begin[], __data_end[], __data_load[], __bss_begin[], __bss_end[];

int main(void);
void Reset_Handler(void);
void ek_start(void);

static _Noreturn void fault(void) { ek_exit(70); }

struct vectors {
  uint32_t *stack;
  void (*handlers[15])(void);
};

__attribute__((section(".vectors"), used)) static const struct vectors VECTORS = {
  __stack_top,
  {Reset_Handler, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault},
};

/* Naked, because what a compiler puts before its own code may use registers that are not enabled yet. */
__attribute__((naked)) void Reset_Handler(void) {
  __asm__ volatile(
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    "ldr r0, =0xe000ed88\n" /* CPACR: full access to coprocessors 10 and 11 */
    "ldr r1, [r0]\n"
    "orr r1, r1, #0x00f00000\n"
    "str r1, [r0]\n"
    "dsb\n"
    "isb\n"
#endif
#if defined(__ARM_FEATURE_MVE)
    "ldr r0, =0xe000ed14\n" /* CCR.LOB: low-overhead loops are predicted */
    "ldr r1, [r0]\n"
    "orr r1, r1, #0x00080000\n"
    "str r1, [r0]\n"
    "dsb\n"
    "isb\n"
#endif
    "bl ek_start\n"
    ".ltorg\n");
}

__attribute__((used)) void ek_start(void) {
  const uint32_t *from = __data_load;
  for (uint32_t *to = __data_begin; to != __data_end; ++to) {
    *to = *from++;
  }
  for (uint32_t *to = __bss_begin; to != __bss_end; ++to) {
    *to = 0U;
  }
  ek_exit(main());
}
