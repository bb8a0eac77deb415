/* Softmax of the elements that a mask keeps, and the choice between two operands by a mask. */
#include "rational.h"
#include <hwblocks/ops.h>

/* The mask of one sample: constant, or the first input that is left. */
static const uint8_t *mask_of(const hwb_mask *m, const void *input, int64_t sample) {
  return m->constant ? m->constant : (const uint8_t *)input + sample * m->count;
}

static int kept(const hwb_mask *m, const uint8_t *mask, int64_t i) { return mask[m->index ? m->index[i] : i] != 0; }

/* One row that starts at element `first` of the sample whose elements start at `start`. */
static void row(const hwb_masked_softmax *p, const void *x, const uint8_t *mask, void *y, int64_t start, int64_t first,
                hwb_stats *stats) {
  const hwb_masked_softmax_numbers *n = &p->n;
  hwb_mask m = {n->keep_count, p->keep_index, p->keep};
  int64_t largest = INT64_MIN, sum = 0;
  for (int64_t i = first; i < first + n->length; i++)
    if (kept(&m, mask, i)) largest = hwb_max(largest, hwb_load(x, n->x_dtype, start + i));
  for (int64_t i = first; i < first + n->length; i++)
    if (kept(&m, mask, i)) sum += p->table[largest - hwb_load(x, n->x_dtype, start + i)];
  hwb_int128 num = hwb_two_words(p->ratio, 0), den = hwb_two_words(p->ratio, 1) * (sum ? sum : 1);
  for (int64_t i = first; i < first + n->length; i++) {
    int64_t power = kept(&m, mask, i) ? p->table[largest - hwb_load(x, n->x_dtype, start + i)] : 0;
    hwb_store(y, n->end.out_dtype, start + i, hwb_ratio_code(&n->end, power * num, den, stats));
  }
}

int hwb_masked_softmax_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch,
                           hwb_stats *stats) {
  const hwb_masked_softmax *p = op->parameters;
  hwb_mask m = {p->n.keep_count, p->keep_index, p->keep};
  (void)scratch;
  for (int64_t s = 0; s < n; s++) {
    const uint8_t *mask = mask_of(&m, p->keep ? 0 : in[1], s);
    for (int64_t r = 0; r < p->n.rows; r++)
      row(p, in[0], mask, y, s * p->n.rows * p->n.length, r * p->n.length, stats);
  }
  return HWB_OK;
}

int hwb_select_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_select *p = op->parameters;
  hwb_mask m = {p->n.keep_count, p->keep_index, p->keep};
  int64_t used = p->keep ? 0 : 1;
  const void *a = p->a ? 0 : in[used], *b = p->b ? 0 : in[used + (p->a ? 0 : 1)];
  (void)scratch;
  (void)stats;
  for (int64_t s = 0; s < n; s++) {
    const uint8_t *mask = mask_of(&m, p->keep ? 0 : in[0], s);
    for (int64_t i = 0; i < p->n.count; i++) {
      int64_t code;
      if (kept(&m, mask, i))
        code = p->a ? p->a[i] : hwb_load(a, p->n.dtype, s * p->n.a_count + (p->a_index ? p->a_index[i] : i));
      else code = p->b ? p->b[i] : hwb_load(b, p->n.dtype, s * p->n.b_count + (p->b_index ? p->b_index[i] : i));
      hwb_store(y, p->n.dtype, s * p->n.count + i, code);
    }
  }
  return HWB_OK;
}
