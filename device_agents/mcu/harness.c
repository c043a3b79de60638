/* What a board does besides its model: says who it is, takes inputs, answers with outputs, measures. */
#include <stddef.h>

#include "edgekit_binding.h"
#include "frame.h"
#include "sha256.h"
#include "transport.h"

struct span {
  uint32_t offset, size;
};

struct hello {
  uint32_t protocol, arena_bytes, inputs, outputs;
  uint8_t image_sha256[32]; /* of flash, as it is there now */
  uint32_t sizes[EDGEKIT_INPUT_COUNT + EDGEKIT_OUTPUT_COUNT];
};

struct profile {
  uint32_t stack_bytes, cycles; /* 0 cycles: the core does not count them */
};

static const struct span INPUTS[] = EDGEKIT_INPUTS;
static const struct span OUTPUTS[] = EDGEKIT_OUTPUTS;

extern const uint8_t __flash_begin[], __flash_end[];
extern uint32_t __stack_limit[];

int main(void);
void edgekit_call(void (*function)(void *), void *argument);

__attribute__((aligned(16))) uint8_t edgekit_arena[EDGEKIT_ARENA_BYTES];

/* The call that is counted: from the first instruction of `function` to the arrival at edgekit_returned. */
__asm__(
  ".syntax unified\n"
  ".section .text.edgekit_call,\"ax\",%progbits\n"
  ".balign 4\n"
  ".global edgekit_call\n.type edgekit_call, %function\n.thumb_func\n"
  "edgekit_call:\n"
  "  mov r2, r0\n"
  "  mov r0, r1\n"
  "  push {r4, lr}\n"
  "  blx r2\n"
  ".global edgekit_returned\n.type edgekit_returned, %function\n.thumb_func\n"
  "edgekit_returned:\n"
  "  pop {r4, pc}\n"
  ".size edgekit_call, . - edgekit_call\n"
  ".text\n");

static uint32_t input_bytes(void) {
  uint32_t size = 0;
  for (uint32_t i = 0; i < EDGEKIT_INPUT_COUNT; ++i) {
    size += INPUTS[i].size;
  }
  return size;
}

#define DEMCR (*(volatile uint32_t *)0xe000edfcU)
#define DWT_CONTROL (*(volatile uint32_t *)0xe0001000U)
#define DWT_CYCLES (*(volatile uint32_t *)0xe0001004U)

static uint32_t cycles(void) {
#if defined(__ARM_ARCH_6M__)
  return 0; /* Armv6-M has no cycle counter */
#else
  DEMCR |= 1U << 24;
  DWT_CONTROL |= 1U;
  return DWT_CYCLES;
#endif
}

static uint32_t stack_pointer(void) {
  uint32_t value;
  __asm__ volatile("mov %0, sp" : "=r"(value));
  return value;
}

/* Paints what is free of the stack, so the peak is that of the invoke and of what it calls. */
__attribute__((noinline)) static struct profile profiled(void) {
  enum { FRAME_OF_EDGEKIT_CALL = 8 };
  const uint32_t paint = 0x5aa5c33cU;
  for (volatile uint32_t *at = __stack_limit; (uint32_t)(uintptr_t)at < stack_pointer(); ++at) {
    *at = paint;
  }
  const uint32_t begin = cycles();
  edgekit_call(EDGEKIT_INVOKE, edgekit_arena);
  const uint32_t end = cycles();
  const volatile uint32_t *lowest = __stack_limit;
  while (*lowest == paint) { /* ends at edgekit_call's frame at the latest */
    ++lowest;
  }
  const uint32_t used = stack_pointer() - (uint32_t)(uintptr_t)lowest;
  return (struct profile){.stack_bytes = used - FRAME_OF_EDGEKIT_CALL, .cycles = end - begin};
}

static void answer_hello(const struct ek_header *request) {
  struct hello hello = {
    .protocol = EK_PROTOCOL,
    .arena_bytes = EDGEKIT_ARENA_BYTES,
    .inputs = EDGEKIT_INPUT_COUNT,
    .outputs = EDGEKIT_OUTPUT_COUNT,
  };
  ek_sha256(__flash_begin, (uint32_t)(__flash_end - __flash_begin), hello.image_sha256);
  for (uint32_t i = 0; i < EDGEKIT_INPUT_COUNT; ++i) {
    hello.sizes[i] = INPUTS[i].size;
  }
  for (uint32_t i = 0; i < EDGEKIT_OUTPUT_COUNT; ++i) {
    hello.sizes[EDGEKIT_INPUT_COUNT + i] = OUTPUTS[i].size;
  }
  const struct ek_part part = {&hello, sizeof hello};
  ek_answer(request, EK_OK, &part, 1);
}

static void answer_outputs(const struct ek_header *request, const struct profile *profile) {
  struct ek_part parts[EDGEKIT_OUTPUT_COUNT + 1];
  uint32_t count = 0;
  if (profile != NULL) {
    parts[count++] = (struct ek_part){profile, sizeof *profile};
  }
  for (uint32_t i = 0; i < EDGEKIT_OUTPUT_COUNT; ++i) {
    parts[count++] = (struct ek_part){edgekit_arena + OUTPUTS[i].offset, OUTPUTS[i].size};
  }
  ek_answer(request, EK_OK, parts, count);
}

static bool take_inputs(uint32_t *checksum) {
  for (uint32_t i = 0; i < EDGEKIT_INPUT_COUNT; ++i) {
    if (!ek_receive_part(edgekit_arena + INPUTS[i].offset, INPUTS[i].size, checksum)) {
      return false;
    }
  }
  return true;
}

int main(void) {
  struct ek_header request;
  uint32_t checksum;
  EDGEKIT_RESET(edgekit_arena);
  while (ek_receive(&request, &checksum)) {
    const bool infers = request.verb == EK_INFER || request.verb == EK_PROFILE;
    const bool fits = request.length == (infers ? input_bytes() : 0U);
    if (fits && infers && !take_inputs(&checksum)) {
      return 0;
    }
    if (!fits) { /* a length that was garbled must not swallow what follows: the next magic number is looked for */
      ek_answer(&request, EK_BAD_LENGTH, NULL, 0);
    } else if (checksum != request.checksum) {
      ek_answer(&request, EK_BAD_CHECKSUM, NULL, 0);
    } else if (request.verb == EK_HELLO) {
      answer_hello(&request);
    } else if (request.verb == EK_RESET) {
      EDGEKIT_RESET(edgekit_arena);
      ek_answer(&request, EK_OK, NULL, 0);
    } else if (request.verb == EK_INFER) {
      edgekit_call(EDGEKIT_INVOKE, edgekit_arena);
      answer_outputs(&request, NULL);
    } else if (request.verb == EK_PROFILE) {
      const struct profile profile = profiled();
      answer_outputs(&request, &profile);
    } else {
      ek_answer(&request, EK_BAD_VERB, NULL, 0);
    }
  }
  return 0;
}
