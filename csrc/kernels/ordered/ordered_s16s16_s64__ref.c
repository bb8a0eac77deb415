/* Sums in any register and order, in 64 bits. */
#define HWB_WORD int64_t
#define HWB_WIDTH(name) name##_s64
#include <hwblocks/ordered_sum.h>

void hwb_ordered_s16s16_s64__ref(const hwb_accumulator *a, const hwb_products *p, hwb_element *e) {
  accumulate_s64(a, p, e);
}
