/* Answers calls on an emulated board: uint32 case, uint32 calls, then the inputs of each; writes the outputs of each. */
#include "transport.h"

#define GUARD 64

struct range {
  uint32_t offset, bytes;
};

static const struct {
  void (*reset)(void *);
  void (*invoke)(void *);
  uint32_t arena_bytes;
  struct range inputs[9], outputs[9];
} cases[] = {
/* cases */
};

int main(void);

static uint8_t memory[1 << 20] __attribute__((aligned(16)));

static void expect(bool good, int32_t code) {
  if (!good) {
    ek_exit(code);
  }
}

static void guard(uint32_t begin, bool checks) {
  for (uint32_t i = begin; i < begin + GUARD; ++i) {
    expect(!checks || memory[i] == 0xA5U, 74);
    memory[i] = 0xA5U;
  }
}

int main(void) {
  uint32_t head[2];
  while (ek_read(head, sizeof head)) {
    const uint32_t bytes = cases[head[0]].arena_bytes;
    uint8_t *const arena = memory + GUARD;
    expect(bytes + 2 * GUARD <= sizeof memory, 75);
    guard(0, false);
    guard(GUARD + bytes, false);
    cases[head[0]].reset(arena);
    for (uint32_t call = 0; call < head[1]; ++call) {
      for (const struct range *one = cases[head[0]].inputs; one->bytes != 0U; ++one) {
        expect(ek_read(arena + one->offset, one->bytes), 76);
      }
      cases[head[0]].invoke(arena);
      for (const struct range *one = cases[head[0]].outputs; one->bytes != 0U; ++one) {
        ek_write(arena + one->offset, one->bytes);
      }
    }
    guard(0, true);
    guard(GUARD + bytes, true);
  }
  return 0;
}
