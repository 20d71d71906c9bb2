// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import org.dmabuf.heap.linux.seccomp.TrappedCall;

/** Architecture of a program, which has its own number of ioctl(2). */
enum Architecture {
    X86_64(0xC000_003E, 16),
    I386(0x4000_0003, 54),
    ARM64(0xC000_00B7, 29),
    ARM(0x4000_0028, 54),
    RISCV64(0xC000_00F3, 29);

    private final int audit; // AUDIT_ARCH_*
    private final int ioctl;

    Architecture(int audit, int ioctl) {
        this.audit = audit;
        this.ioctl = ioctl;
    }

    /** {@return whether a call is ioctl(2)} */
    static boolean isIoctl(TrappedCall call) {
        for (Architecture known : VALUES) {
            if (known.audit == call.architecture()) {
                return known.ioctl == call.number();
            }
        }
        return false;
    }

    private static final Architecture[] VALUES = values();
}
