/* Normalization by statistics of the data: parameters of its op. The rules of ops.h hold. */
#ifndef HWBLOCKS_NORMS_H
#define HWBLOCKS_NORMS_H

#include <hwblocks/ops.h>

/* What a deviation d is divided by, with S = Σ d² of its group:
   root      √(S · α / γ + β / γ) + ε, the quotient not rounded
   sizes     Σ |d|, the quotient not rounded
   whole     n = ⌊(d · 2^f + ⌊r / 2⌋) / r⌋ with r = ⌊√V⌋, V = max(⌊S / count⌋ + more, 1); quotient n · 2^−f
   newton    n = (d · m) · 2^(e + f) rounded half up, m · 2^e the Newton value of 1 / √V; quotient n · 2^−f */
enum hwb_divisor { HWB_BY_ROOT = 0, HWB_BY_SIZES, HWB_BY_WHOLE_ROOT, HWB_BY_NEWTON };

/* y = round(gain · quotient + offset) + zero point, limited, for x [outer, rows, groups, width]: elements of one group
   lie along rows and width. d = K · x − Σ x of the K of a group where centred, else x, zero points taken off.
   x of at most 16 bits, K < 2^29; `limbs` 32-bit limbs a constant, every product below 2^2048. */
typedef struct {
  hwb_cast_numbers end;
  int64_t x_dtype, x_zero, outer, rows, groups, width, centred, divisor;
  int64_t count, fraction_bits, steps;
  int64_t period;  /* parameters repeat after so many elements: a multiple or a part of groups · width */
  int64_t fastest; /* elements of `gain` and `offset`: a multiple of period and of groups · width */
  int64_t limbs;
} hwb_norm_numbers;

typedef struct {
  hwb_norm_numbers n;
  const double *near;           /* α / γ, β / γ, ε, and the margin within which doubles do not decide */
  const double *gain, *offset;  /* [fastest], in steps of the output */
  const uint32_t *parameters;   /* [period] p, r, q: gain = p / q and offset = r / q in halves of a step; q > 0 */
  const uint32_t *group;        /* α, β, γ, and ε as a numerator over a positive denominator */
  const int64_t *more;          /* two words */
  const int64_t *seeds;         /* [24] of numerics/newton.py */
} hwb_norm;

int hwb_norm_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);
size_t hwb_norm_scratch_bytes(const void *parameters);

#endif
