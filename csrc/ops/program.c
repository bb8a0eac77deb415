/* Programs: ops one after the other on the same samples. */
#include <hwblocks/ops.h>

int hwb_program_run(const hwb_step *steps, int64_t count, void *const *slots, int64_t n, void *scratch,
                    hwb_stats *stats) {
  for (int64_t i = 0; i < count; i++) {
    const void *in[HWB_MOST_INPUTS];
    for (int32_t j = 0; j < steps[i].inputs; j++) in[j] = slots[steps[i].in[j]];
    int status = steps[i].op->run(steps[i].op, in, slots[steps[i].out], n, scratch, &stats[i]);
    if (status != HWB_OK) return status;
  }
  return HWB_OK;
}
