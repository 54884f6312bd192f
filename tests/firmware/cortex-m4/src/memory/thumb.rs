//! In Thumb-1, so that a Cortex-M0 has them too.

// The calls of the procedure-call standard (`__aeabi_*`) return nothing and take the fill byte last; those of
// C return the destination.
core::arch::global_asm!(
    ".macro function names:vararg
        .irp name, \\names
            .global \\name
            .type \\name, %function
            .thumb_func
            \\name:
        .endr
    .endm

    .section .text.memory_copy, \"ax\", %progbits
    function __aeabi_memmove, __aeabi_memmove4, __aeabi_memmove8, memmove
        cmp r1, r0
        bhs 7f
    1:  subs r2, #1
        blo 2f
        ldrb r3, [r1, r2]
        strb r3, [r0, r2]
        b 1b
    2:  bx lr
    function __aeabi_memcpy, __aeabi_memcpy4, __aeabi_memcpy8, memcpy
    7:  push {{r0, lr}}
        movs r3, r0
        orrs r3, r1
        lsls r3, #30
        bne 5f
    3:  subs r2, #4
        blo 4f
        ldmia r1!, {{r3}}
        stmia r0!, {{r3}}
        b 3b
    4:  adds r2, #4
    5:  subs r2, #1
        blo 6f
        ldrb r3, [r1]
        strb r3, [r0]
        adds r0, #1
        adds r1, #1
        b 5b
    6:  pop {{r0, pc}}

    .section .text.memory_fill, \"ax\", %progbits
    function __aeabi_memclr, __aeabi_memclr4, __aeabi_memclr8
        movs r2, #0
    function __aeabi_memset, __aeabi_memset4, __aeabi_memset8
        movs r3, r1
        movs r1, r2
        movs r2, r3
    function memset
        push {{r0, lr}}
        uxtb r1, r1
        lsls r3, r1, #8
        orrs r1, r3
        lsls r3, r1, #16
        orrs r1, r3
        lsls r3, r0, #30
        bne 5f
    3:  subs r2, #4
        blo 4f
        stmia r0!, {{r1}}
        b 3b
    4:  adds r2, #4
    5:  subs r2, #1
        blo 6f
        strb r1, [r0]
        adds r0, #1
        b 5b
    6:  pop {{r0, pc}}

    .section .text.memory_compare, \"ax\", %progbits
    function memcmp, bcmp
        push {{r4, lr}}
        movs r4, #0
    1:  cmp r4, r2
        bhs 2f
        ldrb r3, [r0, r4]
        push {{r5}}
        ldrb r5, [r1, r4]
        subs r3, r5
        pop {{r5}}
        bne 3f
        adds r4, #1
        b 1b
    2:  movs r3, #0
    3:  movs r0, r3
        pop {{r4, pc}}
    .section .text",
);
