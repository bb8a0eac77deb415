/* Reference dot products of rows of 16-bit words. */
#include <hwblocks/kernels.h>

void hwb_dots_s16s16_s64__ref(const int16_t *a, const int16_t *b, int64_t length, int64_t count, int64_t *sums) {
  for (int64_t i = 0; i < count; i++, a += length, b += length) {
    int64_t sum = 0;
    for (int64_t j = 0; j < length; j++) sum += (int32_t)a[j] * b[j];
    sums[i] = sum;
  }
}
