/* Bytes to and from the host; each transport is one file that defines these three. */
#ifndef EDGEKIT_TRANSPORT_H
#define EDGEKIT_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

/* Fill `to` with `count` bytes; false: the host has closed. */
bool ek_read(void *to, uint32_t count);

void ek_write(const void *from, uint32_t count);

/* Stop for good. `code` goes to the host where it can see it. */
_Noreturn void ek_exit(int32_t code);

#endif
