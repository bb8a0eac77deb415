/* Reference widening of stored codes to centred int16, and their offset to uint8. */
#include <hwblocks/kernels.h>

void hwb_widen__ref(const void *x, int64_t dtype, int64_t zero, int16_t *y, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = (int16_t)(hwb_load(x, dtype, i) - zero);
}

void hwb_offset__ref(const void *x, int64_t dtype, uint8_t *y, int64_t n) {
  uint8_t flip = dtype == HWB_S8 ? 0x80 : 0; /* adding 128 changes the highest bit alone */
  for (int64_t i = 0; i < n; i++) y[i] = ((const uint8_t *)x)[i] ^ flip;
}
