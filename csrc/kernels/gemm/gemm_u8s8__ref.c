/* Reference tiles of bytes: plain loops over the packed layout. */
#include <hwblocks/kernels.h>

void hwb_gemm_u8s8_s32__ref(const hwb_tile *tile, int32_t *sums) {
  for (int64_t i = 0; i < tile->count; i++)
    for (int64_t j = 0; j < HWB_TILE_COLUMNS; j++) {
      const int8_t *w = (const int8_t *)tile->panel + 4 * j;
      uint32_t sum = 0;
      for (int64_t t = 0; t < tile->taps; t++) {
        const uint8_t *x = (const uint8_t *)tile->rows[i] + tile->offsets[t];
        for (int64_t k = 0; k < tile->steps; k++, w += 4 * HWB_TILE_COLUMNS)
          for (int64_t q = 0; q < 4; q++) sum += (uint32_t)(x[4 * k + q] * w[q]);
      }
      sums[i * HWB_TILE_COLUMNS + j] = (int32_t)sum;
    }
}
