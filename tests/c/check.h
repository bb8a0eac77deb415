/* What the C checks share: random numbers, exactly sized buffers, and counting of failures. */
#ifndef HWBLOCKS_TESTS_CHECK_H
#define HWBLOCKS_TESTS_CHECK_H

#include <hwblocks/ops.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t check_state = 88172645463325252ULL;
static long check_failures;

/* Uniform in [low, high], from a 64-bit xorshift generator (Marsaglia 2003). */
static inline int64_t draw(int64_t low, int64_t high) {
  check_state ^= check_state << 13;
  check_state ^= check_state >> 7;
  check_state ^= check_state << 17;
  return low + (int64_t)((check_state >> 11) % ((uint64_t)(high - low) + 1));
}

/* Exactly `bytes` bytes at a 64-byte boundary: the address sanitizer guards both ends. */
static inline void *exact(size_t bytes) {
  void *memory = NULL;
  if (posix_memalign(&memory, 64, bytes ? bytes : 1)) abort();
  return memory;
}

static inline void expect(int holds, const char *what, const char *isa, int64_t got, int64_t wanted) {
  if (holds) return;
  if (check_failures++ < 20)
    printf("%s on %s: got %lld, wanted %lld\n", what, isa, (long long)got, (long long)wanted);
}

static inline void expect_equal(int64_t got, int64_t wanted, const char *what, const char *isa) {
  expect(got == wanted, what, isa, got, wanted);
}

static inline hwb_stats fresh(int64_t level) {
  hwb_stats stats = {level, 0, 0, INT64_MAX, -INT64_MAX, NULL};
  return stats;
}

/* The largest integer not above num / den; den > 0. */
static inline hwb_int128 floor_div(hwb_int128 num, hwb_int128 den) {
  hwb_int128 q = num / den;
  return num % den < 0 ? q - 1 : q;
}

/* Runs one check on every instruction set of this machine; the exit code of its program. */
static inline int on_every_isa(void (*check)(const hwb_kernels *)) {
  for (int i = 0; hwb_isa_name(i); i++) {
    check(hwb_kernels_of(hwb_isa_name(i)));
    printf("%s checked\n", hwb_isa_name(i));
  }
  if (check_failures) printf("%ld failures\n", check_failures);
  return check_failures != 0;
}

#endif
