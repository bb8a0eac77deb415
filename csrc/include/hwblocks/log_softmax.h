/* The logarithm of a softmax by tables. The rules of ops.h hold. */
#ifndef HWBLOCKS_LOG_SOFTMAX_H
#define HWBLOCKS_LOG_SOFTMAX_H

#include <hwblocks/ops.h>

enum { HWB_LOG_BITS = 9, HWB_LOG_STEPS = 1 << HWB_LOG_BITS, HWB_LOG_FRACTION = 30 };

/* y = round(((x − max) · A − L · B) / D) + zero point, limited, along rows: L = ln(Σ powers[max − x] · 2^−30) · 2^30 by
   `logs`, interpolated; 2^29 ≤ Σ < 2^62. */
typedef struct {
  hwb_cast_numbers end;
  int64_t x_dtype, rows, length, ln2;
} hwb_log_softmax_numbers;

typedef struct {
  hwb_log_softmax_numbers n;
  const int64_t *powers;  /* of every difference of two codes */
  const int64_t *logs;    /* [HWB_LOG_STEPS + 1] ln(1 + i / HWB_LOG_STEPS) · 2^30 */
  const int64_t *factors; /* A, B, D: two words each, low first */
} hwb_log_softmax;

int hwb_log_softmax_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

#endif
