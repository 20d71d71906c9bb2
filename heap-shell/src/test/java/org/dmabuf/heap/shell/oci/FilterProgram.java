// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell.oci;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Interpreter of a seccomp filter: classic BPF, with the instructions of include/uapi/linux/bpf_common.h. */
final class FilterProgram {
    private static final int INSTRUCTION = 8;

    private final int[] codes;
    private final int[] constants;
    private final int[] whenTrue;
    private final int[] whenFalse;

    /** @param bytes array of struct sock_filter in the order of a little-endian machine */
    FilterProgram(byte[] bytes) {
        int count = bytes.length / INSTRUCTION;
        codes = new int[count];
        constants = new int[count];
        whenTrue = new int[count];
        whenFalse = new int[count];
        ByteBuffer program = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < count; i++) {
            codes[i] = program.getShort();
            whenTrue[i] = Byte.toUnsignedInt(program.get());
            whenFalse[i] = Byte.toUnsignedInt(program.get());
            constants[i] = program.getInt();
        }
    }

    int length() {
        return codes.length;
    }

    /** {@return the action on a system call} */
    int run(int architecture, int number, long... arguments) {
        int accumulator = 0;
        for (int at = 0; ; at++) {
            int constant = constants[at];
            switch (codes[at]) {
                case 0x20 -> accumulator = word(constant, architecture, number, arguments); // BPF_LD | BPF_W | BPF_ABS
                case 0x54 -> accumulator &= constant; // BPF_ALU | BPF_AND | BPF_K
                case 0x05 -> at += constant; // BPF_JMP | BPF_JA
                case 0x15 -> at += branch(at, accumulator == constant); // BPF_JEQ
                case 0x25 -> at += branch(at, Integer.compareUnsigned(accumulator, constant) > 0); // BPF_JGT
                case 0x35 -> at += branch(at, Integer.compareUnsigned(accumulator, constant) >= 0); // BPF_JGE
                case 0x45 -> at += branch(at, (accumulator & constant) != 0); // BPF_JSET
                case 0x06 -> {
                    return constant; // BPF_RET | BPF_K
                }
                default -> throw new AssertionError("unknown instruction 0x" + Integer.toHexString(codes[at]));
            }
        }
    }

    private int branch(int at, boolean taken) {
        return taken ? whenTrue[at] : whenFalse[at];
    }

    /** {@return a word of struct seccomp_data} */
    private static int word(int offset, int architecture, int number, long[] arguments) {
        if (offset == 0) {
            return number;
        }
        if (offset == 4) {
            return architecture;
        }
        int index = (offset - 16) / 8;
        long argument = index < arguments.length ? arguments[index] : 0;
        return (int) (offset % 8 == 0 ? argument : argument >>> Integer.SIZE);
    }
}
