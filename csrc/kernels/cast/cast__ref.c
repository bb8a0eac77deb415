/* Reference casts: the scalar definition, element by element. */
#include <hwblocks/kernels.h>

void hwb_cast_s32__ref(const hwb_cast *c, const int32_t *sums, int64_t channel, int64_t width, void *y, hwb_stats *st) {
  for (int64_t j = 0; j < width; j++) hwb_store(y, c->n.out_dtype, j, hwb_cast_one(c, sums[j], channel + j, st));
}

void hwb_cast_s64__ref(const hwb_cast *c, const int64_t *sums, int64_t channel, int64_t width, void *y, hwb_stats *st) {
  for (int64_t j = 0; j < width; j++) hwb_store(y, c->n.out_dtype, j, hwb_cast_one(c, sums[j], channel + j, st));
}
