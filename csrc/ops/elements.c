/* Element-wise ops on one or two operands: a change of scale, sums, products and squares, each ended by a cast. */
#include <hwblocks/ops.h>
#include <math.h>
#include <string.h>

enum { BLOCK = 64 };

#define VALUES(T)                                                                                                      \
  do {                                                                                                                 \
    const T *codes = (const T *)x + sample * n->count;                                                                 \
    if (o->index)                                                                                                      \
      for (int64_t i = 0; i < width; i++) v[i] = (int32_t)codes[o->index[first + i]];                                  \
    else                                                                                                               \
      for (int64_t i = 0; i < width; i++) v[i] = (int32_t)codes[first + i];                                            \
  } while (0)

/* Codes of `width` elements of a sample, from output element `first` on. */
static void codes_of(const hwb_operand *o, const void *x, int64_t sample, int64_t first, int64_t width, int32_t *v) {
  const hwb_operand_numbers *n = &o->n;
  switch (n->dtype) {
  case HWB_S8: VALUES(int8_t); break;
  case HWB_U8: VALUES(uint8_t); break;
  case HWB_S16: VALUES(int16_t); break;
  case HWB_U16: VALUES(uint16_t); break;
  default: VALUES(int32_t); break;
  }
}

/* Their values: constants, table entries (from `rest` on for the tail), or codes minus the zero point. */
static void values_of(const hwb_operand *o, const void *x, int64_t sample, int64_t first, int64_t width, int in_tail,
                      int32_t *v) {
  if (o->n.is_constant) {
    memcpy(v, o->constant + first, (size_t)width * sizeof *v);
    return;
  }
  const int32_t *table = o->table && in_tail ? o->table + o->n.rest : o->table;
  codes_of(o, x, sample, first, width, v);
  if (table)
    for (int64_t i = 0; i < width; i++) v[i] = table[v[i] - o->n.lowest];
  else
    for (int64_t i = 0; i < width; i++) v[i] = (int32_t)(v[i] - o->n.zero);
}

static void combined_s64(int64_t combination, const int32_t *a, const int32_t *b, int64_t width, int64_t *sums) {
  if (combination == HWB_ALONE)
    for (int64_t i = 0; i < width; i++) sums[i] = a[i];
  else if (combination == HWB_SUM)
    for (int64_t i = 0; i < width; i++) sums[i] = (int64_t)a[i] + b[i];
  else if (combination == HWB_PRODUCT)
    for (int64_t i = 0; i < width; i++) sums[i] = (int64_t)a[i] * b[i];
  else
    for (int64_t i = 0; i < width; i++) sums[i] = ((int64_t)a[i] + b[i]) * ((int64_t)a[i] + b[i]);
}

/* a becomes the result. */
static void combined_s32(int64_t combination, int32_t *a, const int32_t *b, int64_t width) {
  if (combination == HWB_SUM)
    for (int64_t i = 0; i < width; i++) a[i] += b[i];
  else if (combination == HWB_PRODUCT)
    for (int64_t i = 0; i < width; i++) a[i] *= b[i];
  else if (combination == HWB_SQUARE)
    for (int64_t i = 0; i < width; i++) a[i] = (a[i] + b[i]) * (a[i] + b[i]);
}

static void block_out(const hwb_op *op, int in_tail, int32_t *a, const int32_t *b, int64_t width, char *y,
                      hwb_stats *stats) {
  const hwb_elements *e = op->parameters;
  const hwb_cast *cast = in_tail ? &e->ends.tail : &e->ends.cast;
  int64_t element = (int64_t)hwb_size_of(cast->n.out_dtype);
  int64_t wide[BLOCK] = {0};
  if (e->n.wide) combined_s64(e->n.combination, a, b, width, wide);
  else combined_s32(e->n.combination, a, b, width);
  for (int64_t i = 0; i < width;) { /* whole rows of 16 elements together, then the rest */
    int64_t rows = hwb_max(1, (width - i) / HWB_TILE_COLUMNS), part = hwb_min(HWB_TILE_COLUMNS, width - i);
    hwb_block block = {e->n.wide ? (const void *)(wide + i) : a + i, HWB_TILE_COLUMNS, rows, 0, part, y + i * element,
                       HWB_TILE_COLUMNS * element};
    if (e->n.wide) op->kernels->cast_s64(cast, &block, stats);
    else op->kernels->cast_s32(cast, &block, stats);
    i += rows * part;
  }
}

/* Each element by the sign of a. */
static void slopes_out(const hwb_elements *e, const int32_t *a, const int32_t *b, int64_t width, char *y,
                       hwb_stats *stats) {
  int64_t dtype = e->ends.cast.n.out_dtype;
  for (int64_t i = 0; i < width; i++) {
    int64_t code = a[i] >= 0 ? hwb_cast_one(&e->ends.cast, a[i], 0, stats)
                             : hwb_cast_one(&e->ends.tail, (int64_t)a[i] * b[i], 0, stats);
    hwb_store(y, dtype, i, code);
  }
}

int hwb_elements_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_elements *e = op->parameters;
  int64_t count = e->n.count, row = e->n.row, start = e->ends.tail_start, width;
  int64_t element = (int64_t)hwb_size_of(e->ends.cast.n.out_dtype);
  int32_t a[BLOCK] = {0}, b[BLOCK] = {0};
  (void)scratch;
  for (int64_t s = 0; s < n; s++)
    for (int64_t i = 0; i < count; i += width) {
      int64_t at = i % row;
      int in_tail = at >= start;
      width = hwb_min(BLOCK, (in_tail ? row : hwb_min(row, start)) - at);
      values_of(&e->a, in[0], s, i, width, in_tail, a);
      if (e->n.combination != HWB_ALONE) values_of(&e->b, e->b.n.is_constant ? NULL : in[1], s, i, width, in_tail, b);
      char *out = (char *)y + (s * count + i) * element;
      if (e->n.combination == HWB_SLOPES) slopes_out(e, a, b, width, out, stats);
      else block_out(op, in_tail, a, b, width, out, stats);
    }
  return HWB_OK;
}

static void reals_of(const hwb_operand *o, const void *x, int64_t sample, int64_t first, int64_t width, double *v) {
  int32_t codes[BLOCK];
  if (o->n.is_constant) {
    memcpy(v, o->real_constant + first, (size_t)width * sizeof *v);
    return;
  }
  codes_of(o, x, sample, first, width, codes);
  for (int64_t i = 0; i < width; i++) v[i] = o->reals[codes[i] - o->n.lowest];
}

int hwb_float_sum_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_float_sum *p = op->parameters;
  int64_t count = p->n.count;
  double a[BLOCK], b[BLOCK];
  (void)scratch;
  for (int64_t s = 0; s < n; s++)
    for (int64_t i = 0; i < count; i += BLOCK) {
      int64_t width = hwb_min(BLOCK, count - i);
      reals_of(&p->a, in[0], s, i, width, a);
      reals_of(&p->b, p->b.n.is_constant ? NULL : in[1], s, i, width, b);
      for (int64_t j = 0; j < width; j++) {
        volatile float total = (float)(a[j] + b[j]); /* one rounding to binary32 */
        int64_t code = (int64_t)nearbyintf(total);   /* half to even: the mode of every C program's start */
        hwb_store(y, p->n.end.out_dtype, s * count + i + j, hwb_limited(&p->n.end, code, stats));
      }
    }
  return HWB_OK;
}
