# Declarations of csrc for the binding in _core.pyx: structs name only the fields that it sets.

from libc.stdint cimport int32_t, int64_t, uint64_t

cdef extern from "stdlib.h" nogil:
    int posix_memalign(void **p, size_t alignment, size_t size)

cdef extern from *:
    """
    #if defined(__linux__)
    #include <sys/mman.h>
    /* A wish: large pages spare translations where weights are read once, from beginning to end. */
    static void hwb_prefer_huge_pages(void *address, size_t size) { (void)madvise(address, size, MADV_HUGEPAGE); }
    #else
    static void hwb_prefer_huge_pages(void *address, size_t size) { (void)address; (void)size; }
    #endif
    """
    void hwb_prefer_huge_pages(void *address, size_t size) noexcept
cdef extern from "hwblocks/accumulator.h" nogil:
    ctypedef struct hwb_channel_counts:
        int64_t steps

cdef extern from "hwblocks/ops.h" nogil:
    ctypedef struct hwb_stats:
        int64_t level, saturated, outside, lowest, highest
        hwb_channel_counts *channels
    ctypedef struct hwb_kernels:
        const char *name
        int64_t bytes
    ctypedef struct hwb_op
    ctypedef int (*hwb_run)(const hwb_op *, const void *const *, void *, int64_t, void *, hwb_stats *) noexcept nogil
    ctypedef struct hwb_op:
        hwb_run run
        const hwb_kernels *kernels
        const void *parameters
        size_t scratch_bytes
    ctypedef struct hwb_cast_numbers:
        pass
    ctypedef struct hwb_cast:
        pass
    ctypedef struct hwb_lines:
        int32_t *shift
        float *slope
        float *offset
        float *below
    int64_t hwb_find_lines(const hwb_cast *cast, int64_t channels, int64_t bound, const double *slopes,
                           const hwb_lines *lines) noexcept
    enum:
        HWB_MOST_INPUTS
        HWB_MOST_OUTPUTS
        HWB_OK
        HWB_NAN
        HWB_BAD_INDEX
        HWB_ZERO_DIVISOR
    ctypedef struct hwb_step:
        const hwb_op *op
        int32_t inputs
        int32_t *in_ "in"
        int32_t out
        int32_t others
        int32_t *other
    const hwb_kernels *hwb_kernels_of(const char *isa)
    const char *hwb_isa_name(int i)

cdef extern from "hwblocks/families.h" nogil:
    int64_t HWB_CAST_ARRAYS
    ctypedef struct hwb_family:
        const char *name
        hwb_run run
        size_t (*scratch_bytes)(const void *) noexcept nogil
        size_t bytes, counted
    ctypedef struct hwb_needs:
        int64_t numbers, end_numbers, constants
    const hwb_family *hwb_family_of(const char *name) noexcept
    hwb_needs hwb_family_needs(const hwb_family *) noexcept
    void hwb_family_fill(const hwb_family *, void *, const int64_t *, const int64_t *, const void **) noexcept
    void hwb_cast_fill(hwb_cast *, const int64_t *, const void **) noexcept

cdef extern from "hwblocks/threads.h" nogil:
    int64_t HWB_MOST_THREADS

cdef extern from "hwblocks/bands.h" nogil:
    ctypedef struct hwb_band:
        hwb_op op
    int64_t hwb_bands_of(const hwb_step *, int64_t, int64_t) noexcept
    void hwb_bands_fill(hwb_band *, const hwb_step *, int64_t, int64_t, int64_t) noexcept

cdef extern from "hwblocks/samples.h" nogil:
    ctypedef struct hwb_place:
        char *base
        int64_t step
    ctypedef struct hwb_carry:
        int64_t source "from"
        int64_t target "to"
        int64_t bytes
    ctypedef struct hwb_room:
        char *arena
        void *scratch
        void **address
        hwb_stats *stats
    ctypedef struct hwb_counts:
        int64_t saturated, outside, lowest, highest
    ctypedef struct hwb_samples:
        const hwb_step *steps
        int64_t count, slots
        const hwb_place *places
        const hwb_carry *carries
        int64_t carried, least, most, threads
        const hwb_room *rooms
        const hwb_band *bands
        int64_t band_count
    int hwb_samples_run(const hwb_samples *, int64_t, int64_t) noexcept
    hwb_counts hwb_samples_counted(const hwb_samples *, int64_t) noexcept
    void hwb_samples_reset(const hwb_samples *, int64_t) noexcept
    int64_t hwb_samples_tile(const hwb_step *, int64_t) noexcept

cdef extern from "hwblocks/replay.h" nogil:
    ctypedef struct hwb_replay_numbers:
        int64_t lanes, steps, words
    ctypedef struct hwb_replay:
        hwb_replay_numbers n
        const int32_t *lane
        const int32_t *step
    ctypedef struct hwb_replay_state:
        int64_t fetched
    size_t hwb_replay_scratch_bytes(const hwb_replay *) noexcept
    int hwb_replay_run(const hwb_replay *, hwb_replay_state *, int32_t *, int64_t) noexcept

cdef extern from "hwblocks/arena.h" nogil:
    ctypedef struct hwb_arena:
        int64_t buffers, sections
        const int64_t *size
        const int64_t *first
        const int64_t *past
        const int64_t *starts
        const int64_t *member_at
        const int64_t *member
    ctypedef struct hwb_goal:
        int64_t capacity, choice
        const int64_t *rank
    void hwb_first_fit(const hwb_arena *a, const int64_t *order, int64_t first, int64_t past, int64_t *by_offset,
                       int64_t *offset) noexcept
    size_t hwb_exchange_scratch_bytes(const hwb_arena *a) noexcept
    int64_t hwb_exchange(const hwb_arena *a, int64_t *order, int64_t *offset, int64_t rounds, int64_t wanted,
                         uint64_t *random, int64_t *scratch) noexcept
    size_t hwb_search_scratch_bytes(const hwb_arena *a) noexcept
    void hwb_search_begin(const hwb_arena *a, const hwb_goal *g, int64_t *memory) noexcept
    int64_t hwb_search_run(const hwb_arena *a, const hwb_goal *g, int64_t *memory, int64_t work) noexcept
    int64_t hwb_search_nodes(const int64_t *memory) noexcept
    int64_t hwb_search_work(const int64_t *memory) noexcept
    const int64_t *hwb_search_offsets(const int64_t *memory) noexcept
