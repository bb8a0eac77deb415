/* Sums whose every addition is followed: plain loops. */
#include <hwblocks/kernels.h>

void hwb_ordered_followed_s32__ref(const int16_t *x, const int16_t *panel, int64_t k, int32_t low, int32_t high,
                                   hwb_followed_sums *sums) {
  for (int64_t i = 0; i < k; i++)
    for (int64_t j = 0; j < HWB_TILE_COLUMNS; j++) {
      int32_t total = sums->held[j] + x[i] * panel[(i / 2 * HWB_TILE_COLUMNS + j) * 2 + i % 2];
      sums->held[j] = total < low ? low : total > high ? high : total;
      sums->outside[j] += total != sums->held[j];
      sums->before[j] += sums->outside[j] == 0;
      sums->lowest[j] = total < sums->lowest[j] ? total : sums->lowest[j];
      sums->highest[j] = total > sums->highest[j] ? total : sums->highest[j];
    }
}
