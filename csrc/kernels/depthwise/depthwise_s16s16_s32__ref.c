/* Reference depthwise sums. */
#include <hwblocks/kernels.h>

void hwb_depthwise_s16s16_s32__ref(const int16_t *x, const int64_t *offsets, int64_t taps, const int16_t *weights,
                                   int32_t *sums) {
  for (int64_t c = 0; c < HWB_TILE_COLUMNS; c++) {
    int64_t sum = 0;
    for (int64_t t = 0; t < taps; t++) sum += (int64_t)x[offsets[t] + c] * weights[(t / 2) * 32 + 2 * c + t % 2];
    sums[c] = (int32_t)sum;
  }
}
