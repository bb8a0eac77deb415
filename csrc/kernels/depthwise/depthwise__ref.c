/* Reference depthwise kernels: rows laid side by side, and sums over columns. */
#include <hwblocks/kernels.h>

void hwb_columns_s16__ref(const hwb_side_by_side *from, int16_t *columns, int64_t step) {
  for (int64_t i = 0; i < from->pixels; i++)
    for (int64_t c = 0; c < from->width; c++)
      for (int64_t r = 0; r < 2; r++)
        columns[i * step + 2 * c + r] = (int16_t)hwb_load(from->x[r], from->dtype, i * from->step[r] + c);
}

void hwb_columns_u8__ref(const hwb_side_by_side *from, uint8_t *columns, int64_t step) {
  int64_t lowest = from->dtype == HWB_S8 ? INT8_MIN : 0;
  for (int64_t i = 0; i < from->pixels; i++)
    for (int64_t c = 0; c < from->width; c++)
      for (int64_t r = 0; r < 4; r++)
        columns[i * step + 4 * c + r] = (uint8_t)(hwb_load(from->x[r], from->dtype, i * from->step[r] + c) - lowest);
}

void hwb_depthwise_s16s16_s32__ref(const hwb_columns *c, int32_t *sums) {
  for (int64_t i = 0; i < c->count; i++)
    for (int64_t j = 0; j < HWB_TILE_COLUMNS; j++) {
      int64_t sum = 0;
      for (int64_t t = 0; t < c->terms; t++) {
        const int16_t *x = (const int16_t *)(const void *)((const char *)c->columns + i * c->step + c->offsets[t]);
        const int16_t *w = (const int16_t *)c->weights + t * 32;
        sum += (int64_t)x[2 * j] * w[2 * j] + (int64_t)x[2 * j + 1] * w[2 * j + 1];
      }
      sums[i * HWB_TILE_COLUMNS + j] = (int32_t)sum;
    }
}

void hwb_depthwise_u8s8_s32__ref(const hwb_columns *c, int32_t *sums) {
  for (int64_t i = 0; i < c->count; i++)
    for (int64_t j = 0; j < HWB_TILE_COLUMNS; j++) {
      int64_t sum = 0;
      for (int64_t t = 0; t < c->terms; t++) {
        const uint8_t *x = (const uint8_t *)c->columns + i * c->step + c->offsets[t];
        const int8_t *w = (const int8_t *)c->weights + t * HWB_COLUMN_BYTES;
        for (int64_t r = 4 * j; r < 4 * j + 4; r++) sum += x[r] * w[r];
      }
      sums[i * HWB_TILE_COLUMNS + j] = (int32_t)(uint32_t)(uint64_t)sum;
    }
}
