/* Sums in any register and order, in 128 bits: registers of 63 and 64 bits. */
#define HWB_WORD hwb_int128
#define HWB_WIDTH(name) name##_s128
#include <hwblocks/ordered_sum.h>

void hwb_ordered_s16s16_s128__ref(const hwb_accumulator *a, const hwb_products *p, hwb_element *e) {
  accumulate_s128(a, p, e);
}
