/* Reference widening of stored codes to centred int16. */
#include <hwblocks/kernels.h>

void hwb_widen__ref(const void *x, int64_t dtype, int64_t zero, int16_t *y, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = (int16_t)(hwb_load(x, dtype, i) - zero);
}
