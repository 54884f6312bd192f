//! In the base instructions of RISC-V.

core::arch::global_asm!(
    ".macro function name
        .global \\name
        .type \\name, @function
        \\name:
    .endm

    .section .text.memory_copy, \"ax\", @progbits
    function memmove
        bgeu a1, a0, memcpy
        add a1, a1, a2
        add a2, a0, a2
    1:  beq a2, a0, 2f
        addi a1, a1, -1
        addi a2, a2, -1
        lbu a3, 0(a1)
        sb a3, 0(a2)
        j 1b
    2:  ret
    function memcpy
        mv a3, a0
        or a4, a0, a1
        andi a4, a4, 3
        bnez a4, 5f
    3:  addi a2, a2, -4
        bltz a2, 4f
        lw a4, 0(a1)
        sw a4, 0(a3)
        addi a1, a1, 4
        addi a3, a3, 4
        j 3b
    4:  addi a2, a2, 4
    5:  beqz a2, 6f
        lbu a4, 0(a1)
        sb a4, 0(a3)
        addi a1, a1, 1
        addi a3, a3, 1
        addi a2, a2, -1
        j 5b
    6:  ret

    .section .text.memory_fill, \"ax\", @progbits
    function memset
        mv a3, a0
        andi a1, a1, 255
        slli a4, a1, 8
        or a1, a1, a4
        slli a4, a1, 16
        or a1, a1, a4
        andi a4, a0, 3
        bnez a4, 5f
    3:  addi a2, a2, -4
        bltz a2, 4f
        sw a1, 0(a3)
        addi a3, a3, 4
        j 3b
    4:  addi a2, a2, 4
    5:  beqz a2, 6f
        sb a1, 0(a3)
        addi a3, a3, 1
        addi a2, a2, -1
        j 5b
    6:  ret

    .section .text.memory_compare, \"ax\", @progbits
    function memcmp
    function bcmp
        mv a3, a0
        li a0, 0
    1:  beqz a2, 2f
        lbu a0, 0(a3)
        lbu a4, 0(a1)
        sub a0, a0, a4
        bnez a0, 2f
        addi a3, a3, 1
        addi a1, a1, 1
        addi a2, a2, -1
        j 1b
    2:  ret
    .section .text",
);
