/* The logarithm of a softmax over the last axis, by tables. */
#include "rational.h"
#include <hwblocks/log_softmax.h>

/* ln(total · 2^−30) · 2^30: total = 2^e · (1 + u), u's highest bits choose an entry and the others interpolate. */
static int64_t log_of(const hwb_log_softmax *p, int64_t total) {
  enum { REST = HWB_LOG_FRACTION - HWB_LOG_BITS };
  int64_t e = 0;
  while (total >> (e + 1)) e++;
  int64_t shift = HWB_LOG_FRACTION - e, one = (int64_t)1 << HWB_LOG_FRACTION;
  int64_t u = (shift >= 0 ? total << shift : total >> -shift) - one, i = u >> REST;
  int64_t between = ((p->logs[i + 1] - p->logs[i]) * (u & (((int64_t)1 << REST) - 1))) >> REST;
  return (e - HWB_LOG_FRACTION) * p->n.ln2 + p->logs[i] + between;
}

static void row(const hwb_log_softmax *p, const void *x, void *y, int64_t first, hwb_stats *stats) {
  const hwb_log_softmax_numbers *n = &p->n;
  int64_t largest = INT64_MIN, sum = 0;
  for (int64_t i = 0; i < n->length; i++) largest = hwb_max(largest, hwb_load(x, n->x_dtype, first + i));
  for (int64_t i = 0; i < n->length; i++) sum += p->powers[largest - hwb_load(x, n->x_dtype, first + i)];
  hwb_int128 a = hwb_two_words(p->factors, 0), less = log_of(p, sum) * hwb_two_words(p->factors, 1);
  for (int64_t i = 0; i < n->length; i++) {
    hwb_int128 num = (hwb_load(x, n->x_dtype, first + i) - largest) * a - less;
    hwb_store(y, n->end.out_dtype, first + i, hwb_ratio_code(&n->end, num, hwb_two_words(p->factors, 2), stats));
  }
}

int hwb_log_softmax_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_log_softmax *p = op->parameters;
  (void)scratch;
  for (int64_t r = 0; r < n * p->n.rows; r++) row(p, in[0], y, r * p->n.length, stats);
  return HWB_OK;
}
