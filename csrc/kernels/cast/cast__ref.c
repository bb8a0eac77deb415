/* Reference casts: the scalar definition, element by element. */
#include <hwblocks/kernels.h>

void hwb_cast_s32__ref(const hwb_cast *c, const hwb_block *b, hwb_stats *stats) {
  for (int64_t i = 0; i < b->rows; i++)
    for (int64_t j = 0; j < b->width; j++) {
      int64_t total = hwb_with_bias32(c, ((const int32_t *)b->sums)[i * b->step + j], b->channel + j);
      hwb_store(b->y + i * b->y_step, c->n.out_dtype, j, hwb_cast_total(c, total, b->channel + j, stats));
    }
}

void hwb_cast_s64__ref(const hwb_cast *c, const hwb_block *b, hwb_stats *stats) {
  for (int64_t i = 0; i < b->rows; i++)
    for (int64_t j = 0; j < b->width; j++) {
      int64_t sum = ((const int64_t *)b->sums)[i * b->step + j];
      hwb_store(b->y + i * b->y_step, c->n.out_dtype, j, hwb_cast_one(c, sum, b->channel + j, stats));
    }
}
