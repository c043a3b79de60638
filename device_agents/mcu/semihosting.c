/* Arm semihosting: requests and answers are two files of the debugger's (or emulator's) working folder.
 *
 * Numbers and argument blocks: "Semihosting for AArch32 and AArch64", Arm, release 2.0. */
#include "transport.h"

enum { SYS_OPEN = 0x01, SYS_WRITE = 0x05, SYS_READ = 0x06, SYS_EXIT_EXTENDED = 0x20 };
enum { MODE_READ_BINARY = 1, MODE_WRITE_BINARY = 5 };
enum { APPLICATION_EXIT = 0x20026 };

static int32_t call(int32_t operation, const void *block) {
  register int32_t r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = block;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

_Noreturn void ek_exit(int32_t code) {
  const uint32_t block[2] = {APPLICATION_EXIT, (uint32_t)code};
  (void)call(SYS_EXIT_EXTENDED, block);
  for (;;) {
  }
}

static uint32_t opened(const char *name, uint32_t length, uint32_t mode) {
  const uint32_t block[3] = {(uint32_t)(uintptr_t)name, mode, length};
  const int32_t handle = call(SYS_OPEN, block);
  if (handle < 0) {
    ek_exit(71);
  }
  return (uint32_t)handle;
}

bool ek_read(void *to, uint32_t count) {
  static uint32_t handle; /* 0 is no handle of ours */
  if (handle == 0) {
    handle = opened("requests", 8, MODE_READ_BINARY);
  }
  uint8_t *at = to;
  while (count > 0) {
    const uint32_t block[3] = {handle, (uint32_t)(uintptr_t)at, count};
    const int32_t left = call(SYS_READ, block);
    if (left < 0 || (uint32_t)left >= count) {
      return false;
    }
    at += count - (uint32_t)left;
    count = (uint32_t)left;
  }
  return true;
}

void ek_write(const void *from, uint32_t count) {
  static uint32_t handle;
  if (handle == 0) {
    handle = opened("answers", 7, MODE_WRITE_BINARY);
  }
  const uint32_t block[3] = {handle, (uint32_t)(uintptr_t)from, count};
  if (count > 0 && call(SYS_WRITE, block) != 0) {
    ek_exit(72);
  }
}
