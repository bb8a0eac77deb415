/* Sums over one run of axes, ended by a cast: means, sums, global average pooling. */
#include <hwblocks/ops.h>

#define ADD_ROWS(T, S)                                                                                                 \
  do {                                                                                                                 \
    const T *from = (const T *)x + first;                                                                              \
    for (int64_t r = 0; r < n->reduced; r++, from += n->inner)                                                         \
      for (int64_t c = 0; c < width; c++) sums[c] = (S)(sums[c] + from[c]);                                            \
  } while (0)

#define ADD_ROWS_OF_TYPE(S)                                                                                            \
  do {                                                                                                                 \
    switch (n->x_dtype) {                                                                                              \
    case HWB_S8: ADD_ROWS(int8_t, S); break;                                                                           \
    case HWB_U8: ADD_ROWS(uint8_t, S); break;                                                                          \
    case HWB_S16: ADD_ROWS(int16_t, S); break;                                                                         \
    case HWB_S64: ADD_ROWS(int64_t, S); break;                                                                         \
    default: ADD_ROWS(uint16_t, S); break;                                                                             \
    }                                                                                                                  \
  } while (0)

/* Sums of `width` neighbours from element `first` on, to output codes. */
static void columns_out(const hwb_op *op, const void *x, int64_t first, int64_t channel, int64_t width, void *y,
                        hwb_stats *stats) {
  const hwb_reduce *p = op->parameters;
  const hwb_reduce_numbers *n = &p->n;
  hwb_block block = {.rows = 1, .channel = channel, .width = width, .y = y};
  if (n->wide) {
    int64_t sums[2 * HWB_TILE_COLUMNS] = {0};
    ADD_ROWS_OF_TYPE(int64_t);
    block.sums = sums;
    hwb_end_s64(op->kernels, &p->ends, &block, stats);
    return;
  }
  int32_t sums[2 * HWB_TILE_COLUMNS] = {0};
  ADD_ROWS_OF_TYPE(int32_t);
  block.sums = sums;
  hwb_end_s32(op->kernels, &p->ends, &block, stats);
}

int hwb_reduce_run(const hwb_op *op, const void *const *in, void *y, int64_t n, void *scratch, hwb_stats *stats) {
  const hwb_reduce *p = op->parameters;
  int64_t inner = p->n.inner, element = (int64_t)hwb_size_of(p->ends.cast.n.out_dtype);
  (void)scratch;
  for (int64_t o = 0; o < n * p->n.outer; o++)
    for (int64_t c = 0; c < inner; c += HWB_TILE_COLUMNS)
      columns_out(op, in[0], o * p->n.reduced * inner + c, c, hwb_min(HWB_TILE_COLUMNS, inner - c),
                  (char *)y + (o * inner + c) * element, stats);
  return HWB_OK;
}
