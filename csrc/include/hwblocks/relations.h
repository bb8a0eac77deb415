/* Two operands of unequal formats, element by element: larger, smaller, quotient, comparisons. The rules of ops.h hold. */
#ifndef HWBLOCKS_RELATIONS_H
#define HWBLOCKS_RELATIONS_H

#include <hwblocks/ops.h>

/* Of a' = a · A and b' = b · B with zero points taken off:
   larger, smaller  y = round(max or min of a', b' over D) + zero point, limited
   quotient         y = round(a' / b') + zero point, limited; a divisor of 0: HWB_ZERO_DIVISOR
   the others       y = 1 where the comparison holds, else 0 */
enum hwb_relations {
  HWB_LARGER = 0,
  HWB_SMALLER,
  HWB_QUOTIENT,
  HWB_EQUAL,
  HWB_NOT_EQUAL,
  HWB_LESS,
  HWB_LESS_EQUAL,
  HWB_GREATER,
  HWB_GREATER_EQUAL,
  HWB_BOTH, /* a' and b' differ from 0 */
  HWB_EITHER,
  HWB_ONE_OF
};

/* in: a, b, each where it is no constant. Codes of at most 32 bits; every product and D below 2^124. */
typedef struct {
  hwb_cast_numbers end;
  int64_t relation, count, a_dtype, a_zero, a_count, b_dtype, b_zero, b_count;
} hwb_relation_numbers;

typedef struct {
  hwb_relation_numbers n;
  const int64_t *factors;                   /* A, B, D: two words each, low first */
  const int64_t *a_index, *b_index;         /* which element each output reads; NULL: its own */
  const int64_t *a_constant, *b_constant;   /* of every output element, zero point taken off; NULL: an input */
} hwb_relation;

int hwb_relation_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats);

#endif
