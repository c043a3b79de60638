/* What every library begins with: fixed-width types, how functions are emitted. No libc. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EK_INLINE static inline __attribute__((always_inline, unused))
#define EK_SHARED static __attribute__((noinline, unused))
#ifdef EK_SPECIALISE
#define EK_KERNEL EK_INLINE
#else
#define EK_KERNEL EK_SHARED
#endif
