/* The board under C programs: a Cortex-M4 in QEMU, without a C library. */
#include "board.h"

#define NORETURN __attribute__((noreturn))

extern uint32_t board_data_from, board_data_start, board_data_end, board_bss_start, board_bss_end;
extern uint32_t board_stack_end, board_stack_start;

static uint32_t semihost(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void board_print(const char *text) { semihost(0x04, text); }

uint8_t *board_disk(unsigned number) { return (uint8_t *)0x21000000 + number * BOARD_DISK_BYTES; }

static NORETURN void stop(uint32_t status) {
    const uint32_t exit[2] = {0x20026, status};
    for (;;) semihost(0x20, exit);
}

/* What the library calls when it finds an error of its own. */
NORETURN void dfs_panic(void) {
    board_print("panic\n");
    stop(1);
}

int main(void) {
    const char *failed = run();
    if (failed) {
        board_print("failed: ");
        board_print(failed);
        board_print("\n");
    }
    return failed != NULL;
}

NORETURN void board_reset(void) {
    const uint32_t *from = &board_data_from;
    for (uint32_t *to = &board_data_start; to < &board_data_end;) *to++ = *from++;
    for (uint32_t *to = &board_bss_start; to < &board_bss_end;) *to++ = 0;
    /* The floating point unit: the library is built for it. */
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20;
    __asm__ volatile("dsb; isb");
    stop((uint32_t)main());
}

NORETURN void board_fault(void) {
    board_print("fault\n");
    stop(1);
}

union vector {
    uint32_t *stack;
    void (*handler)(void);
};

__attribute__((section(".vector_table"), used)) const union vector board_vectors[16] = {
    {.stack = &board_stack_start}, {.handler = board_reset}, {.handler = board_fault}, {.handler = board_fault},
    {.handler = board_fault}, {.handler = board_fault}, {.handler = board_fault},
};
