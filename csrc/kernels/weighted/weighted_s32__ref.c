/* Reference weighted sums over rows of codes. */
#include <hwblocks/kernels.h>

void hwb_weighted_s32__ref(const hwb_weighted_rows *r, int32_t *sums) {
  int64_t pairs = (r->terms + 1) / 2;
  for (int64_t c = 0; c < r->channels; c++) {
    const int16_t *w = r->weights + (c / HWB_TILE_COLUMNS * pairs * HWB_TILE_COLUMNS + c % HWB_TILE_COLUMNS) * 2;
    uint32_t sum = 0;
    for (int64_t t = 0; t < r->terms; t++) {
      int64_t weight = w[t / 2 * 2 * HWB_TILE_COLUMNS + t % 2];
      sum += (uint32_t)(uint64_t)(hwb_load(r->x, r->dtype, t * r->channels + c) * weight);
    }
    sums[c] = (int32_t)sum;
  }
}
