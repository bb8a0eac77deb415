/* Depthwise sums in order: plain loops. */
#include <hwblocks/kernels.h>

static int32_t product(const hwb_channel_windows *c, int64_t position, int64_t tap, int64_t j) {
  int32_t w = c->weights[tap * HWB_TILE_COLUMNS + j];
  return c->x[position * c->step + c->offsets[tap] + j] * (int32_t)(int16_t)(uint16_t)w;
}

void hwb_ordered_channels_limited__ref(const hwb_channel_windows *c, int32_t *sums, int32_t *totals) {
  for (int64_t i = 0; i < c->count * HWB_TILE_COLUMNS; i++) {
    int64_t held = sums[i], total = 0;
    for (int64_t t = 0; t < c->taps; t++) {
      int32_t p = product(c, i / HWB_TILE_COLUMNS, t, i % HWB_TILE_COLUMNS);
      held = hwb_max(c->low, hwb_min(c->high, held + p));
      total += p;
    }
    sums[i] = (int32_t)held;
    totals[i] = (int32_t)total;
  }
}

void hwb_ordered_channels_plain__ref(const hwb_channel_windows *c, int32_t *sums, int32_t *sizes) {
  for (int64_t i = 0; i < c->count * HWB_TILE_COLUMNS; i++) {
    int64_t sum = 0, size = 0;
    for (int64_t t = 0; t < c->taps; t++) {
      int32_t p = product(c, i / HWB_TILE_COLUMNS, t, i % HWB_TILE_COLUMNS);
      sum += p;
      size += p < 0 ? -(int64_t)p : p;
    }
    sums[i] = (int32_t)sum;
    sizes[i] = (int32_t)size;
  }
}
