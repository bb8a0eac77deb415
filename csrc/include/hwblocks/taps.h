/* Ops on stated taps: every output position reads a list of elements. The rules of ops.h hold. */
#ifndef HWBLOCKS_TAPS_H
#define HWBLOCKS_TAPS_H

#include <hwblocks/ops.h>

/* Position p of an output [positions, inner] reads, for channel c, the input's elements at[k] + c for first[p] ≤ k <
   first[p + 1]; x_count elements make one sample. */
typedef struct {
  int64_t x_dtype, x_count, positions, inner;
} hwb_taps;

/* y = round(v) + zero point, limited. power 0: v = Σ weight · (x − x_zero) · num / (den · divisor of the position);
   power p ≥ 1: v = (Σ |x − x_zero|^p · A / B)^(1/degree) / 2, A and B of `limbs` limbs. Sums fit 63 bits. */
typedef struct {
  hwb_cast_numbers end;
  hwb_taps t;
  int64_t x_zero, power, degree, limbs;
} hwb_tap_sum_numbers;

typedef struct {
  hwb_tap_sum_numbers n;
  const int64_t *first;   /* [positions + 1] */
  const int32_t *at;      /* of every tap */
  const int64_t *weight;  /* of every tap; NULL: 1 */
  const int64_t *divisor; /* of every position; NULL: 1 */
  const int64_t *ratio;   /* num, den: two words each */
  const double *near;     /* num / den, or A / B; and the margin within which doubles do not decide */
  const uint32_t *exact;  /* A, B */
} hwb_tap_sum;

int hwb_tap_sum_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

/* y = the largest (or smallest) of the taps, `lowest` where there are none. */
typedef struct {
  hwb_taps t;
  int64_t lowest, largest;
} hwb_tap_extreme_numbers;

typedef struct {
  hwb_tap_extreme_numbers n;
  const int64_t *first;
  const int32_t *at;
} hwb_tap_extreme;

int hwb_tap_extreme_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

#endif
